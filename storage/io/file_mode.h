// What the files and folders of a database may be read by: their owner.

#ifndef ENGRAM_STORAGE_IO_FILE_MODE_H_
#define ENGRAM_STORAGE_IO_FILE_MODE_H_

#include <sys/types.h>

namespace engram::io {

inline constexpr mode_t kFileMode = 0600;
inline constexpr mode_t kDirectoryMode = 0700;

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_FILE_MODE_H_
