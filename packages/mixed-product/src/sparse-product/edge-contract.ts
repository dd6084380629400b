/** Edges of the fullest row and column: how long the composed forms take. */
export const edgeAttributes = { longestRow: 0, longestColumn: 0 };
export const edgeAttributeRules = { longestRow: 'nonNegativeInteger', longestColumn: 'nonNegativeInteger' } as const;

/** The lists of edges that every product along them reads, by row and by column. */
export const edgeDtypes = {
  edgeRow: 'int32',
  edgeColumn: 'int32',
  rowStart: 'int32',
  rowEdge: 'int32',
  columnStart: 'int32',
  columnEdge: 'int32',
} as const;
