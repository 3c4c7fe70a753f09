// A database's owner that does everything at once while readers_test.sh reads:
// it writes, creates and drops spaces, checkpoints and compacts, in a log of
// small segments that are recycled all the time.
//
//   churn_owner PATH ACKED
//
// Says "ready"; keeps in the file ACKED the number of the last write of space
// "numbers" that was acknowledged: write 1,007 is observation "7", with the
// payload "of 1007". On SIGTERM it closes the database and says what it did.
// Its exit status is 0 only if nothing that it did ever failed.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engram/db.h"

namespace engram {
namespace {

constexpr uint32_t kDimension = 8;
constexpr int kNumbers = 1'000;    // ids of space "numbers"
constexpr int kNotes = 400;        // ids of space "notes"
constexpr int kSpacesAtOnce = 4;   // of those that come and go
constexpr int kPauseMicros = 500;  // leaves the readers half of a processor

std::atomic<bool> stop{false};  // relaxed: nothing else hangs on it
std::atomic<int> failures{0};   // relaxed: a count

// What every thread does with each status.
bool Check(const absl::Status& status, const char* what) {
  if (status.ok()) return true;
  std::printf("%s failed: %s\n", what, status.ToString().c_str());
  failures.fetch_add(1, std::memory_order_relaxed);
  stop.store(true, std::memory_order_relaxed);
  return false;
}

bool GoesOn() { return !stop.load(std::memory_order_relaxed); }

std::vector<float> Vector(int seed) {
  std::vector<float> vector(kDimension);
  for (size_t i = 0; i < vector.size(); ++i) {
    vector[i] = static_cast<float>((seed * 31 + static_cast<int>(i) * 17) % 97);
  }
  return vector;
}

SpaceOptions Shape() {
  SpaceOptions options;
  options.dimension = kDimension;
  return options;
}

// Replaced in one write: a reader finds the whole number.
class AckedFile {
 public:
  explicit AckedFile(const char* path)
      : fd_(::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) {
    Set(0);
  }
  ~AckedFile() { ::close(fd_); }

  bool Set(int number) {
    const std::string text = absl::StrFormat("%12d\n", number);
    return ::pwrite(fd_, text.data(), text.size(), 0) ==
           static_cast<ssize_t>(text.size());
  }

 private:
  const int fd_;
};

// Returns how long each write took, in microseconds.
std::vector<int64_t> WriteNumbers(Db* db, AckedFile* acked) {
  std::vector<int64_t> micros;
  auto numbers = db->OpenSpace("numbers", Shape());
  auto notes = db->OpenSpace("notes", Shape());
  if (!Check(numbers.status(), "open") || !Check(notes.status(), "open")) {
    return micros;
  }
  const std::string payload(3'000, 'p');
  for (int i = 1; GoesOn(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    const bool written =
        Check(numbers
                  ->Observe({absl::StrCat(i % kNumbers), Vector(i),
                             absl::StrCat("of ", i)})
                  .status(),
              "write");
    micros.push_back(std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::steady_clock::now() - start)
                         .count());
    if (!written) break;
    if (!acked->Set(i)) {
      Check(absl::InternalError("cannot say so"), "write");
      break;
    }
    const std::string note = absl::StrCat("n", i % kNotes);
    if (i % 7 == 0) {
      const absl::Status removed = notes->Remove(note).status();
      if (!absl::IsNotFound(removed)) Check(removed, "remove");
    } else {
      Check(notes->Observe({note, Vector(i), payload}).status(), "write");
    }
    ::usleep(kPauseMicros);
  }
  return micros;
}

void CreateAndDrop(Db* db) {
  for (int i = 0; GoesOn(); ++i) {
    auto space = db->OpenSpace(absl::StrCat("s", i), Shape());
    if (!Check(space.status(), "create")) return;
    for (int n = 0; n < 10; ++n) {
      Check(
          space->Observe({absl::StrCat(n), Vector(n), "short-lived"}).status(),
          "write");
    }
    if (i >= kSpacesAtOnce) {
      Check(db->DropSpace(absl::StrCat("s", i - kSpacesAtOnce)), "drop");
    }
    ::usleep(20 * kPauseMicros);
  }
}

void CheckpointAlways(Db* db) {
  for (int i = 0; GoesOn(); ++i) {
    Check(i % 20 == 19 ? db->Compact() : db->Checkpoint(), "checkpoint");
    ::usleep(20 * kPauseMicros);
  }
}

int Run(const std::string& path, const char* acked_path) {
  Options options;
  options.wal_segment_bytes = 256 << 10;
  options.wal_limit_bytes = 4 << 20;
  options.flat_records_max = 100;
  options.workers = 1;
  auto db = Db::Open(path, options);
  if (!Check(db.status(), "open")) return 1;
  AckedFile acked(acked_path);
  struct sigaction action = {};
  action.sa_handler = [](int) { stop.store(true, std::memory_order_relaxed); };
  ::sigaction(SIGTERM, &action, nullptr);
  std::thread creator([&] { CreateAndDrop(db->get()); });
  std::thread checkpointer([&] { CheckpointAlways(db->get()); });
  std::puts("ready");
  std::fflush(stdout);
  std::vector<int64_t> micros = WriteNumbers(db->get(), &acked);
  creator.join();
  checkpointer.join();
  const auto stats = (*db)->GetStats();
  Check((*db)->Close(), "close");
  std::sort(micros.begin(), micros.end());
  if (stats.ok() && !micros.empty()) {
    std::printf(
        "%zu writes, p50 %ld us, p99 %ld us, longest %ld us; %lu checkpoints; "
        "%d failures\n",
        micros.size(), static_cast<long>(micros[micros.size() / 2]),
        static_cast<long>(micros[micros.size() * 99 / 100]),
        static_cast<long>(micros.back()),
        static_cast<unsigned long>(stats->checkpoints),
        failures.load(std::memory_order_relaxed));
  }
  return failures.load(std::memory_order_relaxed) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace engram

int main(int argc, char** argv) {
  return argc == 3 ? engram::Run(argv[1], argv[2]) : 2;
}
