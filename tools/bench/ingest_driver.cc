#include "tools/bench/ingest_driver.h"

#include <errno.h>
#include <time.h>

#include <atomic>
#include <cmath>
#include <random>
#include <string>
#include <utility>

#include "tools/bench/patience.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

// Scheduled arrivals come in bursts, as from sockets that are read now and
// then. A driver that sleeps before each of them takes a worker's processor as
// often, on a machine that has none to spare.
constexpr double kTickSeconds = 1e-3;

void SleepUntil(double monotonic_s) {
  double whole = 0;
  const double part = std::modf(monotonic_s, &whole);
  const timespec until = {.tv_sec = static_cast<time_t>(whole),
                          .tv_nsec = static_cast<long>(part * 1e9)};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) ==
         EINTR) {
  }
}

class Driver {
 public:
  Driver(const IngestLoad& load, NoisyRows* rows, IngestSpaces* spaces)
      : load_(load), rows_(*rows), spaces_(*spaces), random_(load.seed) {
    write_.admission_timeout =
        load.per_s > 0 ? absl::ZeroDuration() : kPatience;
  }

  absl::StatusOr<IngestOffered> Run() {
    const double start_s = SecondsOf(CLOCK_MONOTONIC);
    absl::Status status;
    for (uint64_t i = 0; status.ok(); ++i) {
      const double now_s = SecondsOf(CLOCK_MONOTONIC);
      const double due_s =
          load_.per_s > 0 ? start_s + DueAfter(static_cast<double>(i)) : now_s;
      if (due_s >= start_s + load_.seconds) break;
      if (due_s > now_s) SleepUntil(due_s);
      status = OfferOne(due_s);
    }
    WaitForCallbacks();
    if (!status.ok()) return status;
    if (!failure_.ok()) return failure_;
    return std::move(result_);
  }

 private:
  double DueAfter(double arrivals) const {
    return std::floor(arrivals / load_.per_s / kTickSeconds) * kTickSeconds;
  }

  absl::Status OfferOne(double due_s) {
    const std::string id = spaces_.NextId();
    const Observation observation = {
        .id = id, .vector = rows_.Next(), .payload = {}};
    Space& space = spaces_.space(ChooseSpace());
    ++result_.offered;
    if (load_.per_s > 0) {
      result_.late_us.push_back(
          static_cast<float>((SecondsOf(CLOCK_MONOTONIC) - due_s) * 1e6));
    }
    const absl::Status status = space.ObserveAsync(
        observation, write_,
        [this, due_s](const absl::StatusOr<Lsn>& lsn) { Answer(due_s, lsn); });
    if (status.ok()) {
      ++begun_;
    } else if (absl::IsResourceExhausted(status) && load_.per_s > 0) {
      ++result_.rejected;
    } else {
      return status;
    }
    return absl::OkStatus();
  }

  // Called one at a time, on a thread of the database.
  void Answer(double due_s, const absl::StatusOr<Lsn>& lsn) {
    if (lsn.ok()) {
      ++result_.accepted;
      result_.ack_us.push_back(
          static_cast<float>((SecondsOf(CLOCK_MONOTONIC) - due_s) * 1e6));
    } else {
      failure_.Update(lsn.status());
    }
    // Released to WaitForCallbacks(), after which the result is read.
    answered_.fetch_add(1, std::memory_order_release);
    answered_.notify_one();
  }

  void WaitForCallbacks() {
    uint64_t answered = answered_.load(std::memory_order_acquire);
    while (answered < begun_) {
      answered_.wait(answered, std::memory_order_acquire);
      answered = answered_.load(std::memory_order_acquire);
    }
  }

  size_t ChooseSpace() {
    const size_t count = spaces_.count();
    if (load_.first_share == 1) return next_space_++ % count;
    const double others = static_cast<double>(count - 1);
    std::uniform_real_distribution<double> place(0, load_.first_share + others);
    const double at = place(random_) - load_.first_share;
    return at < 0 ? 0 : 1 + static_cast<size_t>(at) % (count - 1);
  }

  const IngestLoad load_;
  NoisyRows& rows_;
  IngestSpaces& spaces_;
  WriteOptions write_;
  std::mt19937_64 random_;
  size_t next_space_ = 0;
  uint64_t begun_ = 0;
  // The driver's thread writes offered, rejected and late_us, the callbacks
  // accepted, ack_us and failure_.
  IngestOffered result_;
  absl::Status failure_;
  std::atomic<uint64_t> answered_{0};
};

}  // namespace

absl::StatusOr<IngestOffered> Offer(const IngestLoad& load, NoisyRows* rows,
                                    IngestSpaces* spaces) {
  return Driver(load, rows, spaces).Run();
}

}  // namespace engram::bench
