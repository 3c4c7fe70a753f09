#include "tools/bench/plot_file.h"

#include <errno.h>

#include <fstream>

#include "storage/base/errno_status.h"

namespace engram::bench {
namespace {

absl::Status Write(const std::string& path, const std::string& text,
                   std::ios::openmode mode) {
  errno = 0;
  std::ofstream file(path, mode);
  file << text;
  file.close();
  if (file) return absl::OkStatus();
  return ErrnoStatus(errno == 0 ? EIO : errno, "--plot", path);
}

}  // namespace

absl::Status CheckPlot(const std::string& path) {
  return path.empty() ? absl::OkStatus() : Write(path, "", std::ios::app);
}

absl::Status WritePlot(const std::string& path, const std::string& svg) {
  return Write(path, svg, std::ios::trunc);
}

}  // namespace engram::bench
