#include "tests/crash/workload.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {
namespace {

constexpr uint32_t kDimension = 8;
constexpr uint64_t kIdsPerClient = 12;
constexpr uint64_t kPayloadBytesMax = 200;
constexpr char kLogFiles[] = ".log";

SpaceOptions OptionsOf(int kind) {
  SpaceOptions options;
  options.dimension = kDimension;
  options.metric = static_cast<Metric>(kind % 2);
  options.M = 4;
  options.ef_construction = 20;
  if (kind == 1) options.quantization = Quantization::kInt8;
  return options;
}

}  // namespace

Workload::Workload(SimMachine* machine, History* history, uint64_t seed)
    : machine_(machine), history_(history) {
  for (uint64_t client = 0; client < kWorkloadClients; ++client) {
    random_.emplace_back(seed * kWorkloadClients + client);
    // No two versions of anything have the same payload or the same vector.
    versions_.push_back((seed << 20) + (client << 16));
  }
}

Workload::~Workload() = default;

// --- Steps -------------------------------------------------------------------

size_t Workload::Begin(int client, Step step) {
  step.submitted_at = machine_->disk().operations();
  return history_->Begin(client, std::move(step));
}

absl::Status Workload::Finish(int client, size_t place,
                              const absl::Status& status, Lsn lsn) {
  if (status.ok()) {
    history_->Acknowledge(client, place, machine_->disk().operations(), lsn);
  } else if (absl::IsResourceExhausted(status)) {
    history_->Refuse(client, place);
  }
  return status;
}

absl::Status Workload::CreateSpace(Db* db, const std::string& name, int kind) {
  Step step;
  step.kind = Step::Kind::kCreateSpace;
  step.space = name;
  const size_t place = Begin(0, std::move(step));
  const absl::Status status = db->OpenSpace(name, OptionsOf(kind)).status();
  return Finish(0, place, status, 0);
}

absl::Status Workload::DropSpace(Db* db, const std::string& name) {
  Step step;
  step.kind = Step::Kind::kDropSpace;
  step.space = name;
  const size_t place = Begin(0, std::move(step));
  return Finish(0, place, db->DropSpace(name), 0);
}

// Where each client goes on.
absl::Status Workload::ReadSequences(Db* db) {
  sequences_.clear();
  for (int client = 0; client < kWorkloadClients; ++client) {
    ENGRAM_ASSIGN_OR_RETURN(const ProducerPosition last,
                            db->LastSequence(ProducerOf(client)));
    sequences_.push_back(last.sequence);
  }
  return absl::OkStatus();
}

// A batch, or one write by itself.
absl::StatusOr<Lsn> Workload::Hand(Db* db, const std::vector<Write>& writes,
                                   uint64_t version,
                                   const WriteOptions& options,
                                   bool* duplicate) {
  WriteBatch batch;
  for (size_t i = 0; i < writes.size(); ++i) {
    const Write& write = writes[i];
    const std::vector<float> vector = TestVector(kDimension, version * 8 + i);
    ENGRAM_ASSIGN_OR_RETURN(Space space, db->OpenSpace(write.space, {}));
    if (writes.size() == 1) {
      return write.remove ? space.Remove(write.id, options, duplicate)
                          : space.Observe({write.id, vector, write.payload},
                                          options, duplicate);
    }
    if (write.remove) {
      batch.Remove(space, write.id);
    } else {
      batch.Observe(space, {write.id, vector, write.payload});
    }
  }
  return db->Write(batch, options, duplicate);
}

absl::Status Workload::WriteOnce(Db* db, int client, std::mt19937_64* random) {
  const bool broken = machine_->disk().sync_failed(kLogFiles);
  const uint64_t version = ++versions_[static_cast<size_t>(client)];
  uint64_t& sequence = sequences_[static_cast<size_t>(client)];
  const uint64_t kind = (*random)() % 10;
  const uint64_t count = kind < 3 ? 2 + (*random)() % 4 : 1;
  WriteOptions options = write_options_;
  options.stamp = {ProducerOf(client), sequence + 1, sequence};
  if ((*random)() % 4 == 0) options.durability = Durability::kProcess;
  std::vector<Write> writes;
  for (uint64_t i = 0; i < count; ++i) {
    Write write;
    write.space = spaces_[(*random)() % spaces_.size()];
    write.id = absl::StrCat(ClientPrefix(client), (*random)() % kIdsPerClient);
    write.remove = (*random)() % 5 == 0;
    write.payload = absl::StrCat(client, ":", version, ":",
                                 std::string((*random)() % kPayloadBytesMax,
                                             static_cast<char>('a' + i)));
    writes.push_back(std::move(write));
  }
  Step step;
  step.writes = writes;
  step.writes.push_back(
      {kProducers, ProducerId(client), absl::StrCat(options.stamp->sequence)});
  const size_t place = Begin(client, std::move(step));
  const absl::StatusOr<Lsn> lsn = Hand(db, writes, version, options, nullptr);
  // Relaxed: read after the threads were joined.
  if (lsn.ok() && broken) {
    acknowledged_after_failed_sync_.store(true, std::memory_order_relaxed);
  }
  if (lsn.ok()) ++sequence;
  if (lsn.ok() && options.durability == Durability::kProcess) {
    // A power cut may take it back, until a later step is acknowledged.
    history_->Acknowledge(client, place, Step::kNever, *lsn);
    return absl::OkStatus();
  }
  ENGRAM_RETURN_IF_ERROR(
      Finish(client, place, lsn.status(), lsn.ok() ? *lsn : 0));
  return (*random)() % 8 == 0 ? Repeat(db, writes, version, options, *lsn)
                              : absl::OkStatus();
}

// Hands in once more what was acknowledged.
absl::Status Workload::Repeat(Db* db, const std::vector<Write>& writes,
                              uint64_t version, const WriteOptions& options,
                              Lsn lsn) {
  bool duplicate = false;
  const absl::StatusOr<Lsn> again =
      Hand(db, writes, version, options, &duplicate);
  ENGRAM_RETURN_IF_ERROR(again.status());
  if (duplicate && *again == lsn) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("a repetition of LSN ", lsn, " was answered with LSN ",
                   *again, duplicate ? ", a duplicate" : ", and done again"));
}

absl::Status Workload::Burst(int steps) {
  std::vector<absl::Status> statuses(kWorkloadClients);
  std::vector<std::thread> threads;
  for (int client = 0; client < kWorkloadClients; ++client) {
    threads.emplace_back([&, client] {
      absl::Status& status = statuses[static_cast<size_t>(client)];
      for (int i = 0; i < steps && status.ok(); ++i) {
        status =
            WriteOnce(db_.get(), client, &random_[static_cast<size_t>(client)]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  absl::Status first;
  for (const absl::Status& status : statuses) first.Update(status);
  return first;
}

// --- Rounds ------------------------------------------------------------------

absl::Status Workload::Open() {
  ENGRAM_ASSIGN_OR_RETURN(db_, machine_->Open(SimOptions()));
  const std::vector<uint64_t> before = sequences_;
  ENGRAM_RETURN_IF_ERROR(ReadSequences(db_.get()));
  if (before.empty() || before == sequences_) return absl::OkStatus();
  return absl::InternalError("a producer's last sequence changed meanwhile");
}

absl::Status Workload::CreateSpaces(Db* db) {
  for (int kind = 0; kind < 3; ++kind) {
    const std::string name = absl::StrCat("space", kind);
    ENGRAM_RETURN_IF_ERROR(CreateSpace(db, name, kind));
    spaces_.push_back(name);
  }
  return absl::OkStatus();
}

absl::Status Workload::TemporarySpace(bool checkpoint) {
  // The same name again: recovery must not take one for the other.
  const std::string name = "temporary";
  ENGRAM_RETURN_IF_ERROR(CreateSpace(db_.get(), name, ++temporary_spaces_));
  const std::vector<std::string> others = std::exchange(spaces_, {name});
  absl::Status status;
  for (int i = 0; i < 4 && status.ok(); ++i) {
    status = WriteOnce(db_.get(), 0, &random_[0]);
  }
  if (status.ok() && checkpoint) status = db_->Checkpoint();
  spaces_ = others;
  ENGRAM_RETURN_IF_ERROR(status);
  return DropSpace(db_.get(), name);
}

// Something of client 0's, if it has something; then looks for it on the disk.
absl::Status Workload::EraseOne() {
  const std::string name = spaces_[random_[0]() % spaces_.size()];
  ENGRAM_ASSIGN_OR_RETURN(Space space, db_->OpenSpace(name, {}));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> ids, space.ListIds());
  const auto found =
      std::find_if(ids.begin(), ids.end(), [](const std::string& id) {
        return absl::StartsWith(id, ClientPrefix(0));
      });
  if (found == ids.end()) return absl::OkStatus();
  ENGRAM_ASSIGN_OR_RETURN(const StoredObservation stored, space.Get(*found));
  Step step;
  step.writes.push_back({name, *found, "", /*remove=*/true});
  const size_t place = Begin(0, std::move(step));
  const absl::StatusOr<Lsn> lsn = space.Erase(*found, erase_timeout_);
  ENGRAM_RETURN_IF_ERROR(Finish(0, place, lsn.status(), lsn.value_or(0)));
  // Others begin with an empty one's.
  if (absl::EndsWith(stored.payload, ":")) return absl::OkStatus();
  const std::string left = SimFilesWith(machine_->disk(), stored.payload);
  if (left.empty()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("\"", *found, "\" of ", name,
                                          " was erased, and is in ", left));
}

absl::Status Workload::EndRound(int round) {
  switch (round % 7) {
    case 0:
      return TemporarySpace(/*checkpoint=*/false);
    case 1:
      return db_->Checkpoint();
    case 2:
      return TemporarySpace(/*checkpoint=*/true);
    case 3:
      return db_->Compact();
    case 4: {
      const absl::Status status = db_->Close();
      db_.reset();
      ENGRAM_RETURN_IF_ERROR(status);
      return Open();
    }
    case 5:
      return EraseOne();
    default:
      // No farewell: what the next owner finds was not checkpointed.
      return absl::OkStatus();
  }
}

absl::Status Workload::Run(const WorkloadSize& size) {
  ENGRAM_RETURN_IF_ERROR(Open());
  ENGRAM_RETURN_IF_ERROR(CreateSpaces(db_.get()));
  for (int round = 0; round < size.rounds; ++round) {
    ENGRAM_RETURN_IF_ERROR(Burst(size.steps_per_burst));
    ENGRAM_RETURN_IF_ERROR(EndRound(round));
  }
  return db_->Close();
}

void Workload::TryOn(int steps) {
  if (db_ == nullptr) return;
  if (!spaces_.empty()) {
    for (int i = 0; i < steps; ++i) Burst(1).IgnoreError();
  }
  db_->Close().IgnoreError();
  db_.reset();
}

absl::Status Workload::WriteSome(Db* db, int steps) {
  ENGRAM_ASSIGN_OR_RETURN(spaces_, db->ListSpaces());
  spaces_.erase(std::remove(spaces_.begin(), spaces_.end(), "temporary"),
                spaces_.end());
  ENGRAM_RETURN_IF_ERROR(ReadSequences(db));
  if (spaces_.empty()) ENGRAM_RETURN_IF_ERROR(CreateSpaces(db));
  for (int i = 0; i < steps; ++i) {
    ENGRAM_RETURN_IF_ERROR(WriteOnce(db, 0, &random_[0]));
  }
  return absl::OkStatus();
}

}  // namespace engram::testing
