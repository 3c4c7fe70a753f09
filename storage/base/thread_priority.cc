#include "storage/base/thread_priority.h"

#include <sys/resource.h>
#include <unistd.h>

namespace engram {
namespace {

constexpr int kBackgroundNice = 5;

}  // namespace

void LowerThreadPriority() {
  // Linux applies it to the calling thread only. Failing changes nothing but
  // the order in which threads run.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()),
                      kBackgroundNice);
}

}  // namespace engram
