#include <deque>

#include "storage/base/check.h"
#include "storage/io/io_queue.h"

namespace engram::io {
namespace {

class PwriteQueue final : public IoQueue {
 public:
  absl::string_view name() const override { return "pwrite"; }

  absl::Status Submit(const WriteRequest& request) override {
    ENGRAM_CHECK(completions_.size() < kDepth);
    absl::Status status = request.file->Write(request.offset, request.data);
    if (status.ok()) status = request.file->SyncData();
    completions_.push_back({request.tag, std::move(status)});
    return absl::OkStatus();
  }

  WriteCompletion WaitOne() override {
    ENGRAM_CHECK(!completions_.empty());
    WriteCompletion completion = std::move(completions_.front());
    completions_.pop_front();
    return completion;
  }

 private:
  std::deque<WriteCompletion> completions_;
};

}  // namespace

std::unique_ptr<IoQueue> CreatePwriteQueue() {
  return std::make_unique<PwriteQueue>();
}

}  // namespace engram::io
