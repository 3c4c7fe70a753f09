#include "storage/io/sim_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"

namespace engram::io {

using Kind = SimOperation::Kind;
using Target = SimFault::Target;
using Effect = SimFault::Effect;

// --- The plan ----------------------------------------------------------------

void SimDisk::SetPlan(const SimPlan& plan) {
  MutexLock lock(mutex_);
  plan_ = plan;
  of_target_ = 0;
  fault_struck_ = false;
  failed_syncs_.clear();
}

void SimDisk::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
}

uint64_t SimDisk::operations() const {
  MutexLock lock(mutex_);
  return operations_;
}

bool SimDisk::fault_struck() const {
  MutexLock lock(mutex_);
  return fault_struck_;
}

bool SimDisk::sync_failed(absl::string_view part) const {
  MutexLock lock(mutex_);
  return std::any_of(failed_syncs_.begin(), failed_syncs_.end(),
                     [part](const std::string& path) {
                       return absl::StrContains(path, part);
                     });
}

absl::Status SimDisk::CheckPower() const {
  if (!stopped_) return absl::OkStatus();
  return absl::AbortedError("the simulated machine has no power");
}

SimDisk::Verdict SimDisk::Count(Target target, absl::string_view operation,
                                absl::string_view path,
                                absl::string_view other_path) {
  if (operations_ >= plan_.stop_after) stopped_ = true;
  if (stopped_) return {CheckPower()};
  ++operations_;
  const SimFault& fault = plan_.fault;
  if (fault.target != target) return {};
  if (!absl::StartsWith(path, fault.path_prefix) &&
      !absl::StartsWith(other_path, fault.path_prefix)) {
    return {};
  }
  ++of_target_;
  if (of_target_ < fault.nth || (of_target_ > fault.nth && !fault.for_ever)) {
    return {};
  }
  fault_struck_ = true;
  if (fault.effect == Effect::kShortWrite && target == Target::kWrites) {
    return {absl::OkStatus(), true};
  }
  const int error = fault.effect == Effect::kNoSpace ? ENOSPC : EIO;
  return {ErrnoStatus(error, operation, path)};
}

void SimDisk::Apply(SimOperation operation) {
  state_.Apply(operation);
  if (keeps_journal_) journal_.push_back(std::move(operation));
}

// --- As a whole --------------------------------------------------------------

SimState SimDisk::state() const {
  MutexLock lock(mutex_);
  return state_;
}

SimState SimDisk::AfterCrash(uint64_t seed) const {
  MutexLock lock(mutex_);
  return state_.AfterCrash(seed);
}

void SimDisk::KeepJournal() {
  MutexLock lock(mutex_);
  keeps_journal_ = true;
}

std::vector<SimOperation> SimDisk::TakeJournal() {
  MutexLock lock(mutex_);
  return std::exchange(journal_, {});
}

absl::Status SimDisk::Export(absl::string_view path,
                             const std::string& folder) const {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return ErrnoStatus(error.value(), "create", folder);
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(path));
  for (const std::string& name : names) {
    const std::string from = absl::StrCat(path, "/", name);
    const std::string to = absl::StrCat(folder, "/", name);
    if (IsFolder(from)) {
      ENGRAM_RETURN_IF_ERROR(Export(from, to));
      continue;
    }
    MutexLock lock(mutex_);
    const std::string& bytes = state_.Bytes(state_.Find(from));
    std::ofstream file(to, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) return ErrnoStatus(EIO, "write", to);
  }
  return absl::OkStatus();
}

// --- Names -------------------------------------------------------------------

absl::StatusOr<SimEntry> SimDisk::EntryOf(absl::string_view operation,
                                          absl::string_view path) const {
  ENGRAM_RETURN_IF_ERROR(CheckPower());
  const std::vector<absl::string_view> names = SimPathNames(path);
  SimEntry entry;
  if (names.empty()) return ErrnoStatus(EINVAL, operation, path);
  entry.name = std::string(names.back());
  entry.folder = kSimRoot;
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    entry.folder = state_.Find(SimEntry{entry.folder, std::string(names[i])});
  }
  if (!state_.IsFolder(entry.folder)) {
    return ErrnoStatus(ENOENT, operation, path);
  }
  return entry;
}

absl::StatusOr<SimNode> SimDisk::FindNode(absl::string_view operation,
                                          absl::string_view path,
                                          bool folder) const {
  ENGRAM_RETURN_IF_ERROR(CheckPower());
  const SimNode node = state_.Find(path);
  if (node == kSimNone) return ErrnoStatus(ENOENT, operation, path);
  if (folder && !state_.IsFolder(node)) {
    return ErrnoStatus(ENOTDIR, operation, path);
  }
  if (!folder && !state_.IsFile(node)) {
    return ErrnoStatus(EISDIR, operation, path);
  }
  return node;
}

absl::StatusOr<SimNode> SimDisk::CreateFile(absl::string_view path,
                                            Creation creation) {
  MutexLock lock(mutex_);
  ENGRAM_ASSIGN_OR_RETURN(SimEntry entry, EntryOf("create", path));
  const SimNode present = state_.Find(entry);
  if (present != kSimNone && creation == Creation::kMustBeNew) {
    return ErrnoStatus(EEXIST, "create", path);
  }
  ENGRAM_RETURN_IF_ERROR(Count(Target::kNames, "create", path).status);
  SimOperation operation;
  if (present != kSimNone) {
    if (!state_.IsFile(present)) return ErrnoStatus(EISDIR, "create", path);
    operation.kind = Kind::kTruncate;
    operation.node = present;
    Apply(std::move(operation));
    return present;
  }
  operation.kind = Kind::kCreateFile;
  operation.node = state_.next_node();
  operation.from = std::move(entry);
  const SimNode node = operation.node;
  Apply(std::move(operation));
  return node;
}

absl::StatusOr<SimNode> SimDisk::OpenFile(absl::string_view path) const {
  MutexLock lock(mutex_);
  return FindNode("open", path, /*folder=*/false);
}

absl::StatusOr<SimNode> SimDisk::OpenFolder(absl::string_view path) const {
  MutexLock lock(mutex_);
  return FindNode("open", path, /*folder=*/true);
}

absl::Status SimDisk::CreateFolder(absl::string_view path) {
  MutexLock lock(mutex_);
  ENGRAM_ASSIGN_OR_RETURN(SimEntry entry, EntryOf("create", path));
  if (state_.Find(entry) != kSimNone) {
    return ErrnoStatus(EEXIST, "create", path);
  }
  ENGRAM_RETURN_IF_ERROR(Count(Target::kNames, "create", path).status);
  SimOperation operation;
  operation.kind = Kind::kCreateFolder;
  operation.node = state_.next_node();
  operation.from = std::move(entry);
  Apply(std::move(operation));
  return absl::OkStatus();
}

bool SimDisk::Exists(absl::string_view path) const {
  MutexLock lock(mutex_);
  return state_.Find(path) != kSimNone;
}

bool SimDisk::IsFolder(absl::string_view path) const {
  MutexLock lock(mutex_);
  return state_.IsFolder(state_.Find(path));
}

absl::StatusOr<std::vector<std::string>> SimDisk::List(
    absl::string_view path) const {
  MutexLock lock(mutex_);
  ENGRAM_ASSIGN_OR_RETURN(const SimNode folder,
                          FindNode("list", path, /*folder=*/true));
  return state_.List(folder);
}

absl::Status SimDisk::Rename(absl::string_view from, absl::string_view to) {
  MutexLock lock(mutex_);
  SimOperation operation;
  operation.kind = Kind::kRename;
  const bool folder = state_.IsFolder(state_.Find(from));
  ENGRAM_ASSIGN_OR_RETURN(operation.node, FindNode("rename", from, folder));
  ENGRAM_ASSIGN_OR_RETURN(operation.from, EntryOf("rename", from));
  ENGRAM_ASSIGN_OR_RETURN(operation.to, EntryOf("rename to", to));
  if (folder && state_.Find(operation.to) != kSimNone) {
    return ErrnoStatus(EEXIST, "rename to", to);  // stricter than rename()
  }
  ENGRAM_RETURN_IF_ERROR(Count(Target::kNames, "rename", from, to).status);
  Apply(std::move(operation));
  return absl::OkStatus();
}

absl::Status SimDisk::Link(absl::string_view from, absl::string_view to) {
  MutexLock lock(mutex_);
  SimOperation operation;
  operation.kind = Kind::kLink;
  ENGRAM_ASSIGN_OR_RETURN(operation.node, FindNode("link", from, false));
  ENGRAM_ASSIGN_OR_RETURN(operation.from, EntryOf("link", from));
  ENGRAM_ASSIGN_OR_RETURN(operation.to, EntryOf("link to", to));
  if (state_.Find(operation.to) != kSimNone) {
    return ErrnoStatus(EEXIST, "link to", to);
  }
  ENGRAM_RETURN_IF_ERROR(Count(Target::kNames, "link", from, to).status);
  Apply(std::move(operation));
  return absl::OkStatus();
}

absl::Status SimDisk::Remove(absl::string_view path) {
  MutexLock lock(mutex_);
  SimOperation operation;
  operation.kind = Kind::kRemove;
  ENGRAM_ASSIGN_OR_RETURN(operation.node, FindNode("remove", path, false));
  ENGRAM_ASSIGN_OR_RETURN(operation.from, EntryOf("remove", path));
  ENGRAM_RETURN_IF_ERROR(Count(Target::kNames, "remove", path).status);
  Apply(std::move(operation));
  return absl::OkStatus();
}

absl::Status SimDisk::RemoveFolder(absl::string_view path) {
  MutexLock lock(mutex_);
  SimOperation operation;
  operation.kind = Kind::kRemove;
  ENGRAM_ASSIGN_OR_RETURN(operation.node, FindNode("remove", path, true));
  ENGRAM_ASSIGN_OR_RETURN(operation.from, EntryOf("remove", path));
  if (!state_.List(operation.node).empty()) {
    return ErrnoStatus(ENOTEMPTY, "remove", path);
  }
  ENGRAM_RETURN_IF_ERROR(Count(Target::kNames, "remove", path).status);
  Apply(std::move(operation));
  return absl::OkStatus();
}

absl::Status SimDisk::SyncFolder(absl::string_view path) {
  MutexLock lock(mutex_);
  SimOperation operation;
  operation.kind = Kind::kSyncFolder;
  ENGRAM_ASSIGN_OR_RETURN(operation.node, FindNode("sync", path, true));
  const absl::Status status = Count(Target::kSyncs, "sync", path).status;
  if (status.ok()) {
    Apply(std::move(operation));
  } else if (!stopped_) {
    failed_syncs_.push_back(absl::StrCat(path, "/"));
  }
  return status;
}

absl::StatusOr<uint64_t> SimDisk::CountNames(absl::string_view path) const {
  MutexLock lock(mutex_);
  ENGRAM_ASSIGN_OR_RETURN(const SimNode node, FindNode("stat", path, false));
  return state_.CountNames(node);
}

// --- Bytes -------------------------------------------------------------------

absl::StatusOr<uint64_t> SimDisk::Size(SimNode file) const {
  MutexLock lock(mutex_);
  ENGRAM_RETURN_IF_ERROR(CheckPower());
  return state_.Bytes(file).size();
}

absl::StatusOr<size_t> SimDisk::Read(SimNode file, uint64_t offset,
                                     absl::Span<char> out) const {
  MutexLock lock(mutex_);
  ENGRAM_RETURN_IF_ERROR(CheckPower());
  const std::string& bytes = state_.Bytes(file);
  if (offset >= bytes.size()) return size_t{0};
  const size_t n = std::min<uint64_t>(out.size(), bytes.size() - offset);
  std::memcpy(out.data(), bytes.data() + offset, n);
  return n;
}

absl::StatusOr<size_t> SimDisk::Write(SimNode file, absl::string_view path,
                                      uint64_t offset, absl::string_view data) {
  MutexLock lock(mutex_);
  const Verdict verdict = Count(Target::kWrites, "write", path);
  if (!verdict.status.ok() && stopped_) return verdict.status;
  size_t n = data.size();
  if (verdict.short_write) n = (n + 1) / 2;
  if (!verdict.status.ok()) n = n / 2;
  if (n > 0) {
    SimOperation operation;
    operation.kind = Kind::kWrite;
    operation.node = file;
    operation.offset = offset;
    operation.bytes = std::make_shared<const std::string>(data.data(), n);
    Apply(std::move(operation));
  }
  ENGRAM_RETURN_IF_ERROR(verdict.status);
  return n;
}

absl::Status SimDisk::WriteAll(SimNode file, absl::string_view path,
                               uint64_t offset, absl::string_view data) {
  while (!data.empty()) {
    ENGRAM_ASSIGN_OR_RETURN(const size_t written,
                            Write(file, path, offset, data));
    offset += written;
    data.remove_prefix(written);
  }
  return absl::OkStatus();
}

absl::Status SimDisk::Truncate(SimNode file, absl::string_view path,
                               uint64_t bytes) {
  MutexLock lock(mutex_);
  ENGRAM_RETURN_IF_ERROR(Count(Target::kWrites, "truncate", path).status);
  SimOperation operation;
  operation.kind = Kind::kTruncate;
  operation.node = file;
  operation.offset = bytes;
  Apply(std::move(operation));
  return absl::OkStatus();
}

absl::Status SimDisk::Sync(SimNode file, absl::string_view path) {
  MutexLock lock(mutex_);
  SimOperation operation;
  operation.kind = Kind::kSync;
  operation.node = file;
  const absl::Status status = Count(Target::kSyncs, "sync", path).status;
  if (stopped_) return status;
  if (!status.ok()) {
    operation.kind = Kind::kSyncFailed;
    operation.seed = operations_;
    // A segment of the log was opened as a spare, and got its name later.
    failed_syncs_.push_back(state_.NameOf(file));
  }
  Apply(std::move(operation));
  return status;
}

bool SimDisk::Lock(absl::string_view path) {
  MutexLock lock(mutex_);
  return locks_.insert(std::string(path)).second;
}

void SimDisk::Unlock(absl::string_view path) {
  MutexLock lock(mutex_);
  locks_.erase(std::string(path));
}

}  // namespace engram::io
