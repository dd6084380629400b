/** What `make` gave for this key before, or gives now. The entry that was made first leaves once there are more than 256. */
export function remembered<Value>(cache: Map<string, Value>, key: string, make: () => Value): Value {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  cache.set(key, made);
  if (cache.size > 256) cache.delete(cache.keys().next().value!);
  return made;
}
