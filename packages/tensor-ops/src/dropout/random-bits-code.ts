/** WGSL of `randomBits` for one place or four, with the keys in the uniforms `first` and `second`. */
export const randomBitsCode = (type: 'u32' | 'vec4u'): string => /* wgsl */ `
fn randomBits(place: ${type}) -> ${type} {
  var h = place * 0x9e3779b9u + uniforms.first;
  h = (h ^ (h >> ${type}(16u))) * 0x85ebca6bu;
  h = (h ^ (h >> ${type}(13u))) + uniforms.second;
  h = h * 0xc2b2ae35u;
  return (h ^ (h >> ${type}(16u))) >> ${type}(8u);
}`;
