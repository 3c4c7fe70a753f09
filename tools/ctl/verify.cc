#include "tools/ctl/verify.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "engram/db.h"
#include "schema/key_layout.h"
#include "schema/part_codec.h"
#include "schema/producer_codec.h"
#include "schema/space_codec.h"
#include "storage/base/read_attempts.h"
#include "storage/base/status_macros.h"
#include "storage/base/unique_fd.h"
#include "storage/io/directory_lock.h"
#include "storage/io/posix_directory.h"
#include "storage/kv/store.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/verify_absent.h"
#include "tools/ctl/verify_log.h"
#include "tools/ctl/verify_report.h"
#include "tools/ctl/verify_space.h"

namespace engram::ctl {
namespace {

constexpr size_t kIdentityBytesMax = 4096;

// A space of the catalog that was not dropped.
struct CatalogSpace {
  std::string family;
  std::optional<schema::Head> head;  // missing: no checkpoint yet, or damaged
};

class Verification {
 public:
  Verification(std::string path, VerifyReport* report)
      : path_(std::move(path)), report_(*report) {}

  absl::Status Run();

 private:
  std::optional<schema::DatabaseId> ReadDatabaseId();
  absl::Status ReadCheckpoints();
  absl::Status ReadCatalog();
  absl::Status ReadEntry(absl::string_view key, absl::string_view value);
  void CheckProducer(absl::string_view key, absl::string_view value);
  absl::Status ReadHead(const schema::CatalogEntry& entry);
  void CheckFamilies();
  void CheckMembers(const std::string& family);
  void CheckEmpty(const std::string& family);
  void CountSpaces();

  const std::string path_;
  VerifyReport& report_;

  std::unique_ptr<kv::Store> store_;
  bool catalog_readable_ = false;
  schema::Catalog catalog_;
  std::set<uint64_t> listed_ids_;  // also of entries that are damaged
  // By family; a member 0 has the family for itself.
  std::map<std::string, std::set<uint64_t>> listed_members_;
  std::map<uint64_t, CatalogSpace> checkpoints_;  // by space id
  std::map<uint64_t, KnownSpace> known_;          // the same, and the log's
  Lsn known_durable_lsn_ = 0;
};

absl::Status Verification::Run() {
  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<io::Directory> directory,
      io::OpenPosixDirectory(absl::StrCat(path_, "/wal"), /*create=*/false));
  LogExpectation expectation;
  expectation.directory = directory.get();
  expectation.database_id = ReadDatabaseId();
  // Before the checkpoints: see wal::RecoverOpened().
  absl::StatusOr<std::vector<wal::SegmentFile>> segments =
      wal::OpenSegmentFiles(
          directory.get(),
          expectation.database_id.value_or(schema::DatabaseId{}),
          /*live=*/true);
  ENGRAM_RETURN_IF_ERROR(ReadCheckpoints());
  if (catalog_readable_) expectation.low_water_lsn = catalog_.low_water_lsn;
  expectation.next_space_id = catalog_.next_space_id;
  expectation.known_durable_lsn = known_durable_lsn_;
  ENGRAM_ASSIGN_OR_RETURN(
      const bool log_complete,
      VerifyLog(expectation, std::move(segments), &known_, &report_));
  for (const auto& [id, space] : checkpoints_) {
    if (!space.head.has_value()) continue;
    VerifySpace(*store_, space.family, *space.head, known_[id], log_complete,
                &report_);
  }
  CountSpaces();
  return absl::OkStatus();
}

// The file's third line is "id " and 32 hexadecimal digits.
std::optional<schema::DatabaseId> Verification::ReadDatabaseId() {
  const std::string path = absl::StrCat(path_, "/ENGRAM");
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  std::string text(kIdentityBytesMax, '\0');
  const ssize_t bytes =
      fd.valid() ? ::read(fd.get(), text.data(), text.size()) : -1;
  if (bytes < 0) {
    AddDamage(&report_, path, std::strerror(errno));
    return std::nullopt;
  }
  text.resize(static_cast<size_t>(bytes));
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  absl::string_view digits = lines.size() < 3 ? "" : lines[2];
  schema::DatabaseId id;
  if (!absl::ConsumePrefix(&digits, "id ") ||
      digits.size() != 2 * sizeof(id.bytes) ||
      digits.find_first_not_of("0123456789abcdef") != digits.npos) {
    AddDamage(&report_, path, "holds no database id");
    return std::nullopt;
  }
  const std::string id_bytes = absl::HexStringToBytes(digits);
  std::copy(id_bytes.begin(), id_bytes.end(), id.bytes);
  return id;
}

absl::Status Verification::ReadCheckpoints() {
  const std::string path = absl::StrCat(path_, "/kv");
  kv::StoreOptions options;
  options.read_only = true;
  absl::StatusOr<std::unique_ptr<kv::Store>> store =
      kv::Store::Open(path, options);
  if (!store.ok()) {
    AddDamage(&report_, path, std::string(store.status().message()));
    return absl::OkStatus();
  }
  store_ = *std::move(store);
  ENGRAM_RETURN_IF_ERROR(ReadCatalog());
  if (catalog_readable_) CheckFamilies();
  return absl::OkStatus();
}

absl::Status Verification::ReadCatalog() {
  const absl::StatusOr<std::string> value =
      store_->Get(kv::kDefaultFamily, schema::kCatalogKey);
  if (absl::IsNotFound(value.status())) {  // a new database
    catalog_readable_ = true;
    return absl::OkStatus();
  }
  const absl::StatusOr<schema::Catalog> catalog =
      value.ok() ? schema::DecodeCatalog(*value)
                 : absl::StatusOr<schema::Catalog>(value.status());
  if (absl::IsUnimplemented(catalog.status())) return catalog.status();
  if (!catalog.ok()) {
    AddDamage(&report_, "catalog", std::string(catalog.status().message()));
  } else {
    catalog_readable_ = true;
    catalog_ = *catalog;
    known_durable_lsn_ = catalog_.catalog_lsn;
  }
  absl::Status status =
      store_->Scan(kv::kDefaultFamily, schema::kCatalogEntryPrefix,
                   [this](absl::string_view key, absl::string_view bytes) {
                     return ReadEntry(key, bytes);
                   });
  if (status.ok()) {
    status =
        store_->Scan(kv::kDefaultFamily, schema::kProducerPrefix,
                     [this](absl::string_view key, absl::string_view bytes) {
                       CheckProducer(key, bytes);
                       return absl::OkStatus();
                     });
  }
  if (absl::IsUnimplemented(status)) return status;
  if (!status.ok()) {
    AddDamage(&report_, "catalog", std::string(status.message()));
  }
  return absl::OkStatus();
}

void Verification::CheckProducer(absl::string_view key,
                                 absl::string_view value) {
  const uint64_t id = schema::NumberInKey(schema::kProducerPrefix, key);
  const std::string place = absl::StrCat("catalog, producer ", id);
  const absl::StatusOr<schema::ProducerState> producer =
      schema::DecodeProducer(id, value);
  if (!producer.ok()) {
    AddDamage(&report_, place, std::string(producer.status().message()));
  } else if (catalog_readable_ && producer->lsn > catalog_.catalog_lsn) {
    AddDamage(&report_, place,
              absl::StrCat("wrote LSN ", producer->lsn,
                           ", the catalog ends at ", catalog_.catalog_lsn));
  }
}

absl::Status Verification::ReadEntry(absl::string_view key,
                                     absl::string_view value) {
  const uint64_t id = schema::NumberInKey(schema::kCatalogEntryPrefix, key);
  listed_ids_.insert(id);
  const absl::StatusOr<schema::CatalogEntry> entry =
      schema::DecodeCatalogEntry(id, value);
  if (!entry.ok()) {
    AddDamage(&report_, absl::StrCat("catalog, space ", id),
              std::string(entry.status().message()));
    return absl::OkStatus();
  }
  if (catalog_readable_ && id >= catalog_.next_space_id) {
    AddDamage(&report_, absl::StrCat("catalog, space ", id),
              absl::StrCat("the next space would be ", catalog_.next_space_id));
  }
  if (!entry->family.empty()) {
    const schema::FamilyPlace place = schema::PlaceOf(entry->family);
    std::set<uint64_t>& members = listed_members_[std::string(place.family)];
    const bool is_first = members.empty();
    const bool is_shared = place.member != 0 && !members.contains(0);
    const bool is_new = members.insert(place.member).second;
    if (!is_new || !(is_first || is_shared)) {
      AddDamage(&report_, absl::StrCat("catalog, space ", id),
                absl::StrCat("column family ", entry->family,
                             " belongs to another space as well"));
    }
  }
  if (entry->dropped) return absl::OkStatus();
  // Two entries may have one name: the drop of the older space is listed later
  // than the new one, and the log has it.
  known_[id].dimension = entry->space.dimension;
  return entry->family.empty() ? absl::OkStatus() : ReadHead(*entry);
}

absl::Status Verification::ReadHead(const schema::CatalogEntry& entry) {
  const std::string place = absl::StrCat("column family ", entry.family);
  CatalogSpace& space = checkpoints_[entry.space.id];
  space.family = entry.family;
  const std::vector<std::string> families = store_->Families();
  if (!std::binary_search(families.begin(), families.end(),
                          schema::PlaceOf(entry.family).family)) {
    AddDamage(&report_, place,
              absl::StrCat("is missing; it belongs to space \"",
                           entry.space.name, "\""));
    return absl::OkStatus();
  }
  const absl::StatusOr<std::string> value =
      store_->Get(entry.family, schema::kHeadKey);
  if (absl::IsNotFound(value.status())) {  // not checkpointed yet
    CheckEmpty(entry.family);
    return absl::OkStatus();
  }
  absl::StatusOr<schema::Head> head =
      value.ok() ? schema::DecodeHead(entry.space.id, *value)
                 : absl::StatusOr<schema::Head>(value.status());
  if (absl::IsUnimplemented(head.status())) return head.status();
  if (!head.ok()) {
    AddDamage(&report_, absl::StrCat(place, ", key m/head"),
              std::string(head.status().message()));
    return absl::OkStatus();
  }
  if (!(head->space == entry.space)) {
    AddDamage(&report_, absl::StrCat(place, ", key m/head"),
              "describes another space than the catalog");
    return absl::OkStatus();
  }
  known_durable_lsn_ = std::max(known_durable_lsn_, head->checkpoint_lsn);
  known_[entry.space.id].checkpoint_lsn = head->checkpoint_lsn;
  space.head = *std::move(head);
  return absl::OkStatus();
}

// What a checkpoint writes, its head included, appears in one step.
void Verification::CheckEmpty(const std::string& family) {
  bool empty = true;
  const absl::Status status =
      store_->Scan(family, "", [&empty](absl::string_view, absl::string_view) {
        empty = false;
        return absl::CancelledError();
      });
  if (!empty) {
    AddDamage(&report_, absl::StrCat("column family ", family, ", key m/head"),
              "is missing, but the family holds other keys");
  } else if (!status.ok()) {
    AddDamage(&report_, absl::StrCat("column family ", family),
              std::string(status.message()));
  }
}

void Verification::CheckFamilies() {
  std::vector<std::string> unlisted;
  for (const std::string& family : store_->Families()) {
    const auto listed = listed_members_.find(family);
    if (listed == listed_members_.end()) {
      unlisted.push_back(family);
    } else if (!listed->second.contains(0)) {
      CheckMembers(family);
    }
  }
  if (unlisted.empty()) return;
  // An owner makes families first and lists them then, which may take longer
  // than three readings.
  const std::string log = absl::StrCat(path_, "/wal");
  if (io::DirectoryLock::IsHeld(log).value_or(false)) return;
  for (const std::string& family : unlisted) {
    AddWarning(&report_, absl::StrCat("column family ", family),
               "is not in the catalog; the next owner removes it");
  }
}

// A space is listed before it has keys, until it has none.
void Verification::CheckMembers(const std::string& family) {
  std::set<uint64_t> reported;
  const absl::Status status =
      store_->Scan(family, "", [&](absl::string_view key, absl::string_view) {
        const uint64_t member = schema::MemberOfKey(key);
        if (!listed_ids_.contains(member) && reported.insert(member).second) {
          AddDamage(&report_,
                    absl::StrCat("column family ", family, ", key ",
                                 absl::CHexEscape(key)),
                    "belongs to no space of the catalog");
        }
        return absl::OkStatus();
      });
  if (!status.ok()) {
    AddDamage(&report_, absl::StrCat("column family ", family),
              std::string(status.message()));
  }
}

void Verification::CountSpaces() {
  for (const auto& [id, space] : known_) {
    if (!space.dropped_in_log) ++report_.spaces;
  }
}

// All findings in one, for ReadAttempts.
absl::Status StatusOf(const VerifyReport& report) {
  std::string text;
  for (const VerifyFinding& finding : report.findings) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", finding.place, ": ",
                    finding.message);
  }
  return text.empty() ? absl::OkStatus() : absl::DataLossError(text);
}

// Beside an owner, what looks like damage may be a race: it counts when it was
// found again and again.
absl::StatusOr<VerifyReport> ReadUntilBelieved(
    const std::string& path, const std::optional<AbsentId>& absent) {
  ReadAttempts attempts;
  while (true) {
    VerifyReport report;
    absl::Status failed = Verification(path, &report).Run();
    if (failed.ok() && absent.has_value()) {
      failed = VerifyAbsent(path, *absent, &report);
    }
    const absl::Status found = failed.ok() ? StatusOf(report) : failed;
    if (attempts.StartOver(found)) continue;
    const absl::Status verdict = attempts.Verdict(path, found);
    if (!failed.ok() || absl::IsUnavailable(verdict)) return verdict;
    return report;
  }
}

}  // namespace

absl::StatusOr<VerifyReport> VerifyDatabase(
    const std::string& path, const std::optional<AbsentId>& absent) {
  absl::StatusOr<std::unique_ptr<Db>> db = OpenDatabase(path, Access::kRead);
  const absl::Status opened = db.status();
  if (!opened.ok() && !absl::IsDataLoss(opened)) return opened;
  if (db.ok()) ENGRAM_RETURN_IF_ERROR((*db)->Close());
  ENGRAM_ASSIGN_OR_RETURN(VerifyReport report, ReadUntilBelieved(path, absent));
  const bool damage_found =
      std::any_of(report.findings.begin(), report.findings.end(),
                  [](const VerifyFinding& finding) {
                    return finding.severity == VerifyFinding::Severity::kDamage;
                  });
  // The same damage is reported once, by the part that found its place.
  if (!opened.ok() && !damage_found) {
    AddDamage(&report, path,
              absl::StrCat("cannot be opened: ", opened.message()));
  }
  return report;
}

}  // namespace engram::ctl
