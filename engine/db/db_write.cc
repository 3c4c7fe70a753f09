// The way of a write: checked, admitted, logged, acknowledged. In between it is
// published; see db_publish.cc.

#include <unistd.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "engine/db/db_impl.h"
#include "engine/db/options_check.h"
#include "engine/db/write_steps.h"
#include "schema/vector_check.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

// Between two attempts to read the index of a space that is only written to.
constexpr int64_t kLoadAgainMicros = 1'000'000;

// How long the creation of a space waits for room in the log.
constexpr absl::Duration kAdminTimeout = absl::Seconds(10);

int64_t ToMicros(absl::Duration timeout) {
  return absl::ToInt64Microseconds(
      std::clamp(timeout, absl::ZeroDuration(), absl::Hours(24 * 365)));
}

int64_t DeadlineOf(const WriteOptions& options) {
  return Clock::System().MonotonicMicros() +
         ToMicros(options.admission_timeout);
}

static_assert(static_cast<int>(Priority::kLow) ==
              static_cast<int>(ingest::Priority::kLow));
static_assert(static_cast<int>(Priority::kNormal) ==
              static_cast<int>(ingest::Priority::kNormal));
static_assert(static_cast<int>(Priority::kHigh) ==
              static_cast<int>(ingest::Priority::kHigh));
static_assert(schema::kNormalPriority ==
              static_cast<int>(ingest::Priority::kNormal));

// That of a write's last record.
schema::ProducerStamp StampOf(const WriteOptions& options) {
  if (!options.stamp.has_value()) return {};
  return {options.stamp->producer, options.stamp->sequence,
          options.stamp->previous.value_or(0)};
}

}  // namespace

absl::Status DbImpl::CheckWritable() const {
  if (options_.read_only) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": the database was opened read-only"));
  }
  if (::getpid() != owner_pid_) {
    // The child of a fork has no threads to write with, and its descriptors
    // are the parent's.
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": the database belongs to process ", owner_pid_,
                     ", this is its child ", ::getpid()));
  }
  return absl::OkStatus();
}

// A record for an index that cannot be read would never get there. What could
// not be read a moment ago may be readable now.
absl::Status DbImpl::CheckSpaceWritable(const space::SpaceState& space) {
  ENGRAM_RETURN_IF_ERROR(CheckWritable());
  const int64_t failed = space.load_failed_micros();
  if (failed == 0) return absl::OkStatus();
  if (Clock::System().MonotonicMicros() - failed > kLoadAgainMicros) {
    const space::SpaceEntry entry = registry_.FindById(space.id());
    if (entry.state != nullptr) load_queue_.Request(entry);
  }
  return space.load_status();
}

absl::Status DbImpl::CheckObservation(const space::SpaceState& space,
                                      const Observation& observation) const {
  ENGRAM_RETURN_IF_ERROR(schema::CheckId(space.description(), observation.id));
  if (observation.payload.size() > kPayloadBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("space \"", space.name(), "\": payload has ",
                     observation.payload.size(), " bytes, allowed are up to ",
                     kPayloadBytesMax));
  }
  return schema::CheckVector(space.description(), observation.vector);
}

absl::StatusOr<Lsn> DbImpl::Observe(const SpacePtr& space,
                                    const Observation& observation,
                                    const WriteOptions& options,
                                    bool* duplicate) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  ENGRAM_RETURN_IF_ERROR(CheckSpaceWritable(*space));
  ENGRAM_RETURN_IF_ERROR(CheckWriteOptions(options));
  ENGRAM_RETURN_IF_ERROR(CheckObservation(*space, observation));
  return AppendOne(schema::RecordType::kObserve, space, observation, options,
                   duplicate);
}

absl::StatusOr<Lsn> DbImpl::Remove(const SpacePtr& space, absl::string_view id,
                                   const WriteOptions& options,
                                   bool* duplicate) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  ENGRAM_RETURN_IF_ERROR(CheckSpaceWritable(*space));
  ENGRAM_RETURN_IF_ERROR(CheckWriteOptions(options));
  ENGRAM_RETURN_IF_ERROR(schema::CheckId(space->description(), id));
  Observation removed;
  removed.id = id;
  return AppendOne(schema::RecordType::kRemove, space, removed, options,
                   duplicate);
}

absl::StatusOr<Lsn> DbImpl::Write(const WriteBatch& batch,
                                  const WriteOptions& options,
                                  bool* duplicate) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  ENGRAM_RETURN_IF_ERROR(CheckWritable());
  ENGRAM_RETURN_IF_ERROR(CheckWriteOptions(options));
  if (batch.count() == 0) {
    return absl::InvalidArgumentError("the batch is empty");
  }
  if (batch.bytes() > kWriteBatchBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the batch has ", batch.bytes(),
                     " bytes, allowed are up to ", kWriteBatchBytesMax));
  }
  std::vector<schema::RecordDraft> drafts;
  std::vector<SpacePtr> spaces;
  for (const WriteBatch::Entry& entry : batch.entries_) {
    const SpacePtr& space = entry.space.state_;
    if (space == nullptr || entry.space.db_.get() != this) {
      return absl::InvalidArgumentError(
          absl::StrCat("entry ", drafts.size(),
                       " of the batch names no space of this database"));
    }
    if (space->dropped_lsn() != 0) return Dropped(*space);
    ENGRAM_RETURN_IF_ERROR(CheckSpaceWritable(*space));
    const Observation observation{entry.id, entry.vector, entry.payload,
                                  entry.timestamp_us};
    if (entry.remove) {
      ENGRAM_RETURN_IF_ERROR(schema::CheckId(space->description(), entry.id));
    } else {
      ENGRAM_RETURN_IF_ERROR(CheckObservation(*space, observation));
    }
    drafts.push_back(DraftOf(entry.remove ? schema::RecordType::kRemove
                                          : schema::RecordType::kObserve,
                             *space, observation, options.priority));
    spaces.push_back(space);
  }
  drafts.back().stamp = StampOf(options);
  return Append(drafts, spaces, options, duplicate);
}

absl::Status DbImpl::ObserveAsync(const SpacePtr& space,
                                  const Observation& observation,
                                  const WriteOptions& options,
                                  WriteCallback callback) {
  if (callback == nullptr) {
    return absl::InvalidArgumentError("the callback is empty");
  }
  // Until the callback has returned: Close() waits for it.
  auto operation = std::make_shared<Operation>(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(*operation, space));
  ENGRAM_RETURN_IF_ERROR(CheckSpaceWritable(*space));
  ENGRAM_RETURN_IF_ERROR(CheckWriteOptions(options));
  ENGRAM_RETURN_IF_ERROR(CheckObservation(*space, observation));
  schema::RecordDraft draft = DraftOf(schema::RecordType::kObserve, *space,
                                      observation, options.priority);
  draft.stamp = StampOf(options);
  const int64_t deadline = DeadlineOf(options);
  absl::Status status = Refused(callbacks_.Reserve(MicrosLeft(deadline)),
                                RefusalCause::kAsyncWrites);
  if (status.ok()) {
    status = AppendAsync(draft, space, options, deadline,
                         {std::move(operation), std::move(callback)});
    if (!status.ok()) callbacks_.Cancel();
  }
  if (!status.ok()) CountRefusal(status);
  return status;
}

// With a place among the callbacks, which is used unless this fails.
absl::Status DbImpl::AppendAsync(const schema::RecordDraft& draft,
                                 const SpacePtr& space,
                                 const WriteOptions& options, int64_t deadline,
                                 const AsyncWrite& write) {
  StampCondition condition(options.stamp, &producers_);
  absl::Status status = condition.Check();
  if (status.ok()) {
    const absl::StatusOr<Admission> admission =
        Admit(absl::MakeConstSpan(&draft, 1), absl::MakeConstSpan(&space, 1),
              deadline);
    status = admission.status();
    if (status.ok()) {
      // Settled on the log's thread: a callback may wait for the room that is
      // given back.
      auto pass_on = [this, write, admission = *admission](
                         Lsn lsn, const absl::Status& logged) {
        callbacks_.Push([write, result = Settle(admission, lsn, logged)] {
          write.callback(result);
        });
      };
      status = writer_
                   ->AppendAsync(absl::MakeConstSpan(&draft, 1),
                                 MicrosLeft(deadline), DurabilityOf(options),
                                 std::move(pass_on), condition.get())
                   .status();
      if (!status.ok()) {
        status =
            Settle(*admission, 0, Refused(status, RefusalCause::kLog)).status();
      }
    }
  }
  if (condition.duplicate_of() != 0) {
    callbacks_.Push([this, write, lsn = condition.duplicate_of()] {
      write.callback(AnswerDuplicate(lsn));
    });
    callbacks_.Wake();
    return absl::OkStatus();
  }
  if (!status.ok() && space->dropped_lsn() != 0) return Dropped(*space);
  return status;
}

wal::Durability DbImpl::DurabilityOf(const WriteOptions& options) const {
  Durability durability = options.durability;
  if (durability == Durability::kDefault) durability = options_.durability;
  return durability == Durability::kProcess ? wal::Durability::kProcess
                                            : wal::Durability::kSync;
}

// A write of its own, which has been checked.
absl::StatusOr<Lsn> DbImpl::AppendOne(schema::RecordType type,
                                      const SpacePtr& space,
                                      const Observation& observation,
                                      const WriteOptions& options,
                                      bool* duplicate) {
  schema::RecordDraft draft =
      DraftOf(type, *space, observation, options.priority);
  draft.stamp = StampOf(options);
  return Append(absl::MakeConstSpan(&draft, 1), absl::MakeConstSpan(&space, 1),
                options, duplicate);
}

absl::StatusOr<Lsn> DbImpl::Append(absl::Span<const schema::RecordDraft> drafts,
                                   absl::Span<const SpacePtr> spaces,
                                   const WriteOptions& options,
                                   bool* duplicate) {
  const int64_t deadline = DeadlineOf(options);
  // First: what is there already needs no room.
  StampCondition condition(options.stamp, &producers_);
  absl::Status status = condition.Check();
  Lsn lsn = 0;
  if (status.ok()) {
    const absl::StatusOr<Admission> admission = Admit(drafts, spaces, deadline);
    status = admission.status();
    if (status.ok()) {
      status = writer_
                   ->Append(drafts, MicrosLeft(deadline), DurabilityOf(options),
                            &lsn, condition.get())
                   .status();
      status =
          Settle(*admission, lsn, Refused(status, RefusalCause::kLog)).status();
    }
  }
  if (duplicate != nullptr) *duplicate = condition.duplicate_of() != 0;
  if (condition.duplicate_of() != 0) {
    return AnswerDuplicate(condition.duplicate_of());
  }
  if (status.ok()) return lsn;
  for (const SpacePtr& space : spaces) {
    if (space->dropped_lsn() != 0) return Dropped(*space);
  }
  CountRefusal(status);
  return status;
}

// --- Spaces ------------------------------------------------------------------

absl::StatusOr<DbImpl::SpacePtr> DbImpl::OpenSpace(
    absl::string_view name, const SpaceOptions& options) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  MutexLock lock(create_mutex_);
  SpacePtr state = registry_.FindByName(name).state;
  if (state != nullptr) {
    if (options.dimension != 0) {
      ENGRAM_RETURN_IF_ERROR(CheckSameOptions(state->description(), options));
    }
    return state;
  }
  if (options.dimension == 0) {
    return absl::NotFoundError(
        absl::StrCat(path_, ": there is no space \"", name, "\""));
  }
  return NewSpace(name, options);
}

absl::StatusOr<DbImpl::SpacePtr> DbImpl::CreateSpace(
    absl::string_view name, const SpaceOptions& options) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  MutexLock lock(create_mutex_);
  if (registry_.FindByName(name).state != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat(path_, ": there is a space \"", name, "\" already"));
  }
  return NewSpace(name, options);
}

absl::StatusOr<DbImpl::SpacePtr> DbImpl::NewSpace(absl::string_view name,
                                                  const SpaceOptions& options) {
  schema::SpaceDescription description;
  description.id = next_space_id_.load(std::memory_order_relaxed);
  description.name = std::string(name);
  description.dimension = options.dimension;
  description.metric = static_cast<schema::Metric>(options.metric);
  description.M = options.M;
  description.ef_construction = options.ef_construction;
  description.quantization =
      static_cast<schema::Quantization>(options.quantization);
  description.stored = static_cast<schema::Stored>(options.stored);
  std::random_device random;
  description.seed = (uint64_t{random()} << 32) | random();
  ENGRAM_RETURN_IF_ERROR(schema::CheckSpaceDescription(description));
  ENGRAM_RETURN_IF_ERROR(CheckWritable());
  const std::string encoded = schema::EncodeSpaceDescription(description);
  schema::RecordDraft draft;
  draft.type = schema::RecordType::kCreateSpace;
  draft.space_id = description.id;
  draft.description = encoded;
  ENGRAM_ASSIGN_OR_RETURN(const Lsn lsn, AppendAdmin(draft));
  SpacePtr state = registry_.FindById(description.id).state;
  ENGRAM_CHECK(state != nullptr);
  events_.Push([info = SpaceInfo{description.name, description.id, lsn}](
                   EventListener& listener) { listener.OnSpaceCreated(info); });
  return state;
}

absl::Status DbImpl::DropSpace(absl::string_view name) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  ENGRAM_RETURN_IF_ERROR(CheckWritable());
  {
    MutexLock lock(create_mutex_);
    const SpacePtr state = registry_.FindByName(name).state;
    if (state == nullptr) {
      return absl::NotFoundError(
          absl::StrCat(path_, ": there is no space \"", name, "\""));
    }
    schema::RecordDraft draft;
    draft.type = schema::RecordType::kDropSpace;
    draft.space_id = state->id();
    ENGRAM_ASSIGN_OR_RETURN(const Lsn lsn, AppendAdmin(draft));
    events_.Push(
        [info = SpaceInfo{state->name(), state->id(), lsn}](
            EventListener& listener) { listener.OnSpaceDropped(info); });
  }
  RequestCheckpoint();
  return absl::OkStatus();
}

absl::StatusOr<Lsn> DbImpl::AppendAdmin(const schema::RecordDraft& draft) {
  return writer_->Append(absl::MakeConstSpan(&draft, 1),
                         ToMicros(kAdminTimeout));
}

absl::Status DbImpl::SetQuota(const SpacePtr& space, const SpaceQuota& quota) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  ENGRAM_RETURN_IF_ERROR(CheckQuota(quota));
  space->quota().Set({quota.records_per_second, quota.bytes_per_second});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> DbImpl::ListSpaces() {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  std::vector<std::string> names;
  for (const space::SpaceEntry& entry : registry_.All()) {
    names.push_back(entry.state->name());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace engram::internal
