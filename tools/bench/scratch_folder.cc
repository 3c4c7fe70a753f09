#include "tools/bench/scratch_folder.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"

namespace engram::bench {
namespace {

constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kStop = SIGUSR1;  // sent by the destructor alone

// What a shell reports of a program that a signal ended.
constexpr int kExitOfSignal = 128;

// A database that is open while its folder is removed may add a file in
// between.
void RemoveStubbornly(const std::string& path) {
  constexpr int kAttempts = 100;
  for (int i = 0; i < kAttempts; ++i) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (!error) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ScratchFolder>> ScratchFolder::Create() {
  std::error_code error;
  std::string path =
      std::filesystem::temp_directory_path(error) / "engram-bench-XXXXXX";
  if (error || ::mkdtemp(path.data()) == nullptr) {
    return ErrnoStatus(error ? error.value() : errno, "create", path);
  }
  return std::unique_ptr<ScratchFolder>(new ScratchFolder(std::move(path)));
}

ScratchFolder::ScratchFolder(std::string path) : path_(std::move(path)) {
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, kStop);
  for (const int signal : kEndingSignals) {
    struct sigaction action = {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) ::sigaddset(&signals_, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &signals_, &signals_before_);
  watcher_ = std::thread([this] { WaitForSignals(); });
}

ScratchFolder::~ScratchFolder() {
  stopping_.store(true);
  ::pthread_kill(watcher_.native_handle(), kStop);
  watcher_.join();
  RemoveStubbornly(path_);
  ::pthread_sigmask(SIG_SETMASK, &signals_before_, nullptr);
}

void ScratchFolder::WaitForSignals() {
  int signal = 0;
  do {
    if (::sigwait(&signals_, &signal) != 0) return;
    if (stopping_.load()) return;
  } while (signal == kStop);
  RemoveStubbornly(path_);
  ::_exit(kExitOfSignal + signal);
}

std::string ScratchFolder::Next() {
  return absl::StrCat(path_, "/db-", ++next_);
}

void EndWithParent() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, kStop);
  for (const int signal : kEndingSignals) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

}  // namespace engram::bench
