// A listener that writes down what it is told.

#ifndef ENGRAM_TESTS_SUPPORT_EVENT_RECORDER_H_
#define ENGRAM_TESTS_SUPPORT_EVENT_RECORDER_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/event_listener.h"

namespace engram::testing {

class EventRecorder : public EventListener {
 public:
  void OnRecovered(const RecoveryInfo& info) override {
    recovered.push_back(info);
    Note("recovered");
  }
  void OnCheckpointBegin() override { Note("checkpoint begins"); }
  void OnCheckpointEnd(const CheckpointInfo& info) override {
    checkpoints.push_back(info);
    Note("checkpoint ends");
  }
  void OnSpaceCreated(const SpaceInfo& info) override {
    created.push_back(info);
    Note("created");
  }
  void OnSpaceDropped(const SpaceInfo& info) override {
    dropped.push_back(info);
    Note("dropped");
  }
  void OnWriteRefused(const RefusedWrite& write) override {
    refused.push_back(write);
    Note("refused");
  }
  void OnDeadLetter(const DeadLetterInfo& letter) override {
    dead_letters.push_back(letter);
    Note("dead letter");
  }
  void OnPressureChanged(const PressureChange& change) override {
    pressure.push_back(change);
    Note(absl::StrCat("pressure ", static_cast<int>(change.after)));
  }
  void OnLogFailed(const absl::Status& status) override {
    log_failures.push_back(status);
    Note("log failed");
  }

  // Everything that was told until now, in order.
  std::vector<std::string> names() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return names_;
  }

  // Whether it is told within half a minute.
  bool WaitFor(const std::string& name) const {
    std::unique_lock<std::mutex> lock(mutex_);
    return noted_.wait_for(lock, std::chrono::seconds(30), [&] {
      return std::count(names_.begin(), names_.end(), name) > 0;
    });
  }

  // To be read once the database is closed.
  std::vector<RecoveryInfo> recovered;
  std::vector<CheckpointInfo> checkpoints;
  std::vector<SpaceInfo> created;
  std::vector<SpaceInfo> dropped;
  std::vector<RefusedWrite> refused;
  std::vector<DeadLetterInfo> dead_letters;
  std::vector<PressureChange> pressure;
  std::vector<absl::Status> log_failures;

 private:
  void Note(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    names_.push_back(name);
    noted_.notify_all();
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable noted_;
  std::vector<std::string> names_;
};

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_EVENT_RECORDER_H_
