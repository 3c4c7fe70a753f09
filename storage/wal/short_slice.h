// How soon the log's thread runs when it has something to do.

#ifndef ENGRAM_STORAGE_WAL_SHORT_SLICE_H_
#define ENGRAM_STORAGE_WAL_SHORT_SLICE_H_

#include <cstdint>

namespace engram::wal {

// Asks Linux to give the calling thread turns of `micros`, and so an earlier
// turn (EEVDF, from 6.12 on; needs no privilege). Returns whether it was
// granted: older kernels and other policies ignore it, and then only the
// latency under load is longer.
bool RequestShortSlice(int64_t micros);

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_SHORT_SLICE_H_
