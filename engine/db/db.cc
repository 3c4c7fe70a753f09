// The public classes: thin, they hold what they need alive and pass on.

#include "engram/db.h"

#include <utility>

#include "engine/db/db_impl.h"
#include "storage/base/status_macros.h"

namespace engram {
namespace {

absl::Status NoSpace() {
  return absl::FailedPreconditionError("the handle belongs to no space");
}

}  // namespace

Db::Db(std::shared_ptr<internal::DbImpl> impl) : impl_(std::move(impl)) {}

Db::~Db() { impl_->Close().IgnoreError(); }

absl::StatusOr<std::unique_ptr<Db>> Db::Open(const std::string& path,
                                             const Options& options) {
  ENGRAM_ASSIGN_OR_RETURN(std::shared_ptr<internal::DbImpl> impl,
                          internal::DbImpl::Open(path, options));
  return std::unique_ptr<Db>(new Db(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Db>> internal::DbImpl::OpenOn(
    const Environment& environment, const std::string& path,
    const Options& options) {
  ENGRAM_ASSIGN_OR_RETURN(std::shared_ptr<DbImpl> impl,
                          Open(path, options, environment));
  return std::unique_ptr<Db>(new Db(std::move(impl)));
}

absl::StatusOr<Space> Db::OpenSpace(absl::string_view name,
                                    const SpaceOptions& options) {
  ENGRAM_ASSIGN_OR_RETURN(std::shared_ptr<space::SpaceState> state,
                          impl_->OpenSpace(name, options));
  return Space(impl_, std::move(state));
}

absl::Status Db::DropSpace(absl::string_view name) {
  return impl_->DropSpace(name);
}

absl::StatusOr<std::vector<std::string>> Db::ListSpaces() const {
  return impl_->ListSpaces();
}

absl::StatusOr<Lsn> Db::Write(const WriteBatch& batch,
                              const WriteOptions& options, bool* duplicate) {
  return impl_->Write(batch, options, duplicate);
}

absl::StatusOr<ProducerPosition> Db::LastSequence(uint64_t producer) const {
  return impl_->LastSequence(producer);
}

absl::StatusOr<std::vector<ProducerPosition>> Db::ListProducers() const {
  return impl_->ListProducers();
}

absl::Status Db::Wait(Lsn lsn, Stage stage, absl::Duration timeout) const {
  return impl_->Wait(lsn, stage, timeout);
}

absl::Status Db::Checkpoint() { return impl_->Checkpoint(); }

absl::Status Db::Compact() { return impl_->Compact(); }

absl::Status Db::Backup(const std::string& dir) { return impl_->Backup(dir); }

absl::Status Db::ExportSpace(absl::string_view name,
                             const std::string& path) const {
  return impl_->ExportSpace(name, path);
}

absl::StatusOr<DbStats> Db::GetStats() const { return impl_->GetStats(); }

absl::StatusOr<Metrics> Db::GetMetrics() const { return impl_->GetMetrics(); }

const SalvageReport& Db::salvage_report() const {
  return impl_->salvage_report();
}

absl::Status Db::Close() { return impl_->Close(); }

// --- Space -------------------------------------------------------------------

Space::Space(std::shared_ptr<internal::DbImpl> db,
             std::shared_ptr<space::SpaceState> state)
    : db_(std::move(db)), state_(std::move(state)) {}

absl::string_view Space::name() const {
  return state_ == nullptr ? absl::string_view() : state_->name();
}

SpaceOptions Space::options() const {
  return state_ == nullptr ? SpaceOptions() : state_->GetStats(0).options;
}

absl::StatusOr<Lsn> Space::Observe(const Observation& observation,
                                   const WriteOptions& options,
                                   bool* duplicate) {
  if (db_ == nullptr) return NoSpace();
  return db_->Observe(state_, observation, options, duplicate);
}

absl::Status Space::ObserveAsync(const Observation& observation,
                                 const WriteOptions& options,
                                 WriteCallback callback) {
  if (db_ == nullptr) return NoSpace();
  return db_->ObserveAsync(state_, observation, options, std::move(callback));
}

absl::StatusOr<Lsn> Space::Remove(absl::string_view id,
                                  const WriteOptions& options,
                                  bool* duplicate) {
  if (db_ == nullptr) return NoSpace();
  return db_->Remove(state_, id, options, duplicate);
}

absl::StatusOr<Lsn> Space::Erase(absl::string_view id, absl::Duration timeout) {
  const std::string one(id);
  return Erase(absl::MakeConstSpan(&one, 1), timeout);
}

absl::StatusOr<Lsn> Space::Erase(absl::Span<const std::string> ids,
                                 absl::Duration timeout) {
  if (db_ == nullptr) return NoSpace();
  return db_->Erase(state_, ids, timeout);
}

absl::Status Space::SetQuota(const SpaceQuota& quota) {
  if (db_ == nullptr) return NoSpace();
  return db_->SetQuota(state_, quota);
}

absl::StatusOr<std::vector<DeadLetter>> Space::ListDeadLetters() const {
  if (db_ == nullptr) return NoSpace();
  return db_->ListDeadLetters(state_);
}

absl::StatusOr<Lsn> Space::RetryDeadLetter(Lsn lsn,
                                           const WriteOptions& options) {
  if (db_ == nullptr) return NoSpace();
  return db_->RetryDeadLetter(state_, lsn, options);
}

absl::StatusOr<Lsn> Space::DropDeadLetter(Lsn lsn,
                                          const WriteOptions& options) {
  if (db_ == nullptr) return NoSpace();
  return db_->DropDeadLetter(state_, lsn, options);
}

absl::StatusOr<StoredObservation> Space::Get(absl::string_view id) const {
  if (db_ == nullptr) return NoSpace();
  return db_->Get(state_, id);
}

absl::StatusOr<std::vector<Hit>> Space::Search(absl::Span<const float> query,
                                               const SearchOptions& options,
                                               SearchStats* stats) const {
  if (db_ == nullptr) return NoSpace();
  return db_->Search(state_, query, options, stats);
}

absl::StatusOr<std::vector<std::string>> Space::ListIds() const {
  if (db_ == nullptr) return NoSpace();
  return db_->ListIds(state_);
}

absl::Status Space::Wait(Lsn lsn, Stage stage, absl::Duration timeout) const {
  if (db_ == nullptr) return NoSpace();
  return db_->WaitSpace(state_, lsn, stage, timeout);
}

absl::StatusOr<SpaceStats> Space::GetStats() const {
  if (db_ == nullptr) return NoSpace();
  return db_->GetSpaceStats(state_);
}

}  // namespace engram
