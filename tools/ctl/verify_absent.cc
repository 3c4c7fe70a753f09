#include "tools/ctl/verify_absent.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "schema/key_layout.h"
#include "schema/part_codec.h"
#include "schema/space_codec.h"
#include "schema/wal_layout.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/status_macros.h"
#include "storage/io/posix_directory.h"
#include "storage/kv/store.h"
#include "storage/wal/segment_scanner.h"
#include "storage/wal/segments.h"
#include "tools/ctl/verify_report.h"

namespace engram::ctl {
namespace {

using KeyRange = kv::Store::KeyRange;

constexpr size_t kChunkBytes = size_t{1} << 20;

// Bytes of a shorter id turn up by chance.
constexpr size_t kSoughtBytesMin = 6;

constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max();

class IdSearch {
 public:
  IdSearch(std::string path, const AbsentId& absent, VerifyReport* report)
      : path_(std::move(path)), absent_(absent), report_(*report) {}

  absl::Status Run() {
    ENGRAM_RETURN_IF_ERROR(SearchStore());
    ENGRAM_RETURN_IF_ERROR(SearchManifests());
    ENGRAM_RETURN_IF_ERROR(SearchLog());
    return SearchOtherFiles();
  }

 private:
  void Found(std::string place, std::string message) {
    AddWarning(&report_, std::move(place), std::move(message));
  }

  // --- RocksDB's tables

  absl::Status SearchStore() {
    kv::StoreOptions options;
    options.read_only = true;
    ENGRAM_ASSIGN_OR_RETURN(
        store_, kv::Store::Open(absl::StrCat(path_, "/kv"), options));
    std::vector<schema::CatalogEntry> entries;
    ENGRAM_RETURN_IF_ERROR(store_->Scan(
        kv::kDefaultFamily, schema::kCatalogEntryPrefix,
        [&entries](absl::string_view key, absl::string_view value) {
          ENGRAM_ASSIGN_OR_RETURN(
              schema::CatalogEntry entry,
              schema::DecodeCatalogEntry(
                  schema::NumberInKey(schema::kCatalogEntryPrefix, key),
                  value));
          entries.push_back(std::move(entry));
          return absl::OkStatus();
        }));
    for (const schema::CatalogEntry& entry : entries) {
      if (!absent_.space.empty() && entry.space.name != absent_.space) continue;
      space_ids_.insert(entry.space.id);
      if (entry.dropped || entry.family.empty()) continue;
      ENGRAM_RETURN_IF_ERROR(SearchSpace(entry));
    }
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> obsolete,
                            store_->ObsoleteFiles());
    for (const std::string& name : obsolete) {
      Found(absl::StrCat(path_, "/kv/", name),
            "is no part of the database any more, and may hold anything");
    }
    return absl::OkStatus();
  }

  absl::Status SearchSpace(const schema::CatalogEntry& entry) {
    ENGRAM_RETURN_IF_ERROR(SearchRecords(entry));
    ENGRAM_RETURN_IF_ERROR(SearchDeadLetters(entry));
    return SearchVectors(entry);
  }

  absl::Status SearchRecords(const schema::CatalogEntry& entry) {
    const std::string key = schema::RecordKey(absent_.id);
    return store_->ScanVersions(
        entry.family, KeyRange{key, key},
        [&](absl::string_view, absl::string_view value) {
          Found(absl::StrCat("column family ", entry.family, ", key r/",
                             absl::CHexEscape(absent_.id)),
                value.empty() ? "holds a deletion that names the id"
                              : "holds a record of the id");
        });
  }

  absl::Status SearchDeadLetters(const schema::CatalogEntry& entry) {
    return store_->ScanVersions(
        entry.family,
        KeyRange{schema::DeadLetterKey(0), schema::DeadLetterKey(kLast)},
        [&](absl::string_view key, absl::string_view value) {
          if (value.empty()) return;  // its deletion
          const uint64_t lsn =
              schema::NumberInKey(schema::kDeadLetterPrefix, key);
          const absl::StatusOr<schema::DeadLetter> letter =
              schema::DecodeDeadLetter(entry.space.id, lsn,
                                       entry.space.dimension, value);
          const std::string place =
              absl::StrCat("column family ", entry.family, ", key d/", lsn);
          if (!letter.ok()) {
            Found(place, absl::StrCat("cannot be read, and may hold the id: ",
                                      letter.status().message()));
          } else if (letter->id == absent_.id) {
            Found(place, "holds a dead letter of the id");
          }
        });
  }

  absl::Status SearchVectors(const schema::CatalogEntry& entry) {
    return store_->ScanVersions(
        entry.family,
        KeyRange{
            schema::VectorPartKey(0, 0),
            schema::VectorPartKey(std::numeric_limits<uint32_t>::max(), kLast)},
        [&](absl::string_view key, absl::string_view value) {
          if (value.empty()) return;  // its deletion
          const schema::VectorPartPlace part_place =
              schema::PlaceOfVectorPart(key);
          const std::string place =
              absl::StrCat("column family ", entry.family, ", key v/",
                           part_place.segment, "/", part_place.generation);
          const absl::StatusOr<schema::VectorPart> part =
              schema::DecodeUnlistedVectorPart(
                  entry.space.id, entry.space.dimension, key, value);
          if (!part.ok()) {
            Found(place, absl::StrCat("cannot be read, and may hold the id: ",
                                      part.status().message()));
            return;
          }
          const auto rows =
              std::count(part->ids.begin(), part->ids.end(), absent_.id);
          if (rows > 0) {
            Found(place, absl::StrCat("holds ", rows, " rows of the id"));
          }
        });
  }

  // --- Bytes of files

  // Where the bytes stand in the file from `from` on, if they do; those of the
  // first that is not zero if `needle` is empty.
  static absl::StatusOr<std::optional<uint64_t>> Find(
      const io::File& file, uint64_t from, absl::string_view needle) {
    const size_t kept_bytes = needle.empty() ? 0 : needle.size() - 1;
    std::string window;                // ends where the next chunk begins
    AlignedBuffer chunk(kChunkBytes);  // the file may have O_DIRECT
    for (uint64_t offset = from;; offset += chunk.size()) {
      ENGRAM_ASSIGN_OR_RETURN(
          const size_t bytes,
          file.Read(offset, absl::MakeSpan(chunk.data(), chunk.size())));
      const uint64_t window_offset = offset - window.size();
      window.append(chunk.data(), bytes);
      const size_t at = needle.empty()
                            ? window.find_first_not_of('\0')
                            : window.find(needle.data(), 0, needle.size());
      if (at != std::string::npos) return window_offset + at;
      if (bytes < chunk.size()) return std::nullopt;
      window.erase(0, window.size() - kept_bytes);
    }
  }

  // A part of a file that holds nothing which is in use.
  absl::Status SearchRest(const io::File& file, uint64_t from) {
    const bool is_short = absent_.id.size() < kSoughtBytesMin;
    ENGRAM_ASSIGN_OR_RETURN(const std::optional<uint64_t> at,
                            Find(file, from, is_short ? "" : absent_.id));
    if (!at.has_value()) return absl::OkStatus();
    Found(absl::StrCat(file.path(), ", offset ", *at),
          is_short ? "holds what was logged once, and the id is too short to "
                     "be looked for in it"
                   : "holds the bytes of the id");
    return absl::OkStatus();
  }

  // --- The manifest, which names the first and the last key of each table

  absl::Status SearchManifests() {
    ENGRAM_ASSIGN_OR_RETURN(
        const std::unique_ptr<io::Directory> directory,
        io::OpenPosixDirectory(absl::StrCat(path_, "/kv"), /*create=*/false));
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            directory->List());
    // A key with its prefix is not found by chance.
    const std::string key = schema::RecordKey(absent_.id);
    for (const std::string& name : names) {
      if (!absl::StartsWith(name, "MANIFEST-")) continue;
      ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file,
                              directory->Open(name, io::OpenMode::kRead));
      ENGRAM_RETURN_IF_ERROR(SearchManifest(*file, key));
    }
    return absl::OkStatus();
  }

  // Behind a key stand 8 bytes, the first of which is its type, a small number;
  // before it its length with these.
  absl::Status SearchManifest(const io::File& file, const std::string& key) {
    constexpr size_t kTrailerBytes = 8;
    constexpr size_t kMemberBytes = 2 + sizeof(uint64_t);
    for (const size_t before : {size_t{0}, kMemberBytes}) {
      const size_t length = before + key.size() + kTrailerBytes;
      std::string prefix;
      for (size_t rest = length; true; rest >>= 7) {
        const bool last = rest < 0x80;
        prefix.push_back(static_cast<char>(last ? rest : rest | 0x80));
        if (last) break;
      }
      for (uint64_t from = 0;;) {
        ENGRAM_ASSIGN_OR_RETURN(const std::optional<uint64_t> at,
                                Find(file, from, key));
        if (!at.has_value()) break;
        from = *at + 1;
        if (*at < before + prefix.size()) continue;
        std::string found(prefix.size(), '\0');
        ENGRAM_RETURN_IF_ERROR(
            file.Read(*at - before - prefix.size(),
                      absl::MakeSpan(found.data(), found.size()))
                .status());
        if (found != prefix) continue;
        Found(absl::StrCat(file.path(), ", offset ", *at),
              "names the id as a key of a table");
        return absl::OkStatus();
      }
    }
    return absl::OkStatus();
  }

  // --- The log

  absl::Status SearchLog() {
    ENGRAM_ASSIGN_OR_RETURN(
        const std::unique_ptr<io::Directory> directory,
        io::OpenPosixDirectory(absl::StrCat(path_, "/wal"), /*create=*/false));
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            directory->List());
    for (const std::string& name : names) {
      absl::StatusOr<std::unique_ptr<io::File>> file =
          directory->Open(name, io::OpenMode::kReadDirect);
      if (absl::IsNotFound(file.status())) continue;  // by the owner
      ENGRAM_RETURN_IF_ERROR(file.status());
      uint64_t end = 0;
      if (wal::SegmentFileNumber(name) != 0) {
        ENGRAM_ASSIGN_OR_RETURN(end, SearchGroups(**file));
      }
      ENGRAM_RETURN_IF_ERROR(SearchRest(**file, end));
    }
    return absl::OkStatus();
  }

  // Returns where the groups end that a reader would take for the segment's.
  absl::StatusOr<uint64_t> SearchGroups(const io::File& file) {
    const absl::StatusOr<wal::SegmentScanner> scanner =
        wal::SegmentScanner::Open(&file);
    if (absl::IsDataLoss(scanner.status())) return 0;
    ENGRAM_RETURN_IF_ERROR(scanner.status());
    uint64_t offset = schema::kGroupsOffset;
    while (true) {
      std::string why;
      ENGRAM_ASSIGN_OR_RETURN(
          const std::unique_ptr<wal::ScannedGroup> group,
          scanner->Read(offset, scanner->file_bytes(), &why));
      if (group == nullptr) return offset;
      group->group->ForEachRecord([&](const schema::RecordView& record) {
        if (record.id != absent_.id || !IsSought(record)) return;
        Found(absl::StrCat(file.path(), ", offset ", offset),
              absl::StrCat("holds the id, in LSN ", record.lsn));
      });
      offset += group->group->bytes().size();
    }
  }

  // Of a space that no catalog knows yet it is not known which it is.
  bool IsSought(const schema::RecordView& record) const {
    const bool has_id = record.type == schema::RecordType::kObserve ||
                        record.type == schema::RecordType::kRemove;
    return has_id &&
           (absent_.space.empty() || space_ids_.contains(record.space_id));
  }

  // --- Whatever else stands in the folder

  absl::Status SearchOtherFiles() {
    if (absent_.id.size() < kSoughtBytesMin) return absl::OkStatus();
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::Directory> directory,
                            io::OpenPosixDirectory(path_, /*create=*/false));
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            directory->List());
    for (const std::string& name : names) {
      absl::StatusOr<std::unique_ptr<io::File>> file =
          directory->Open(name, io::OpenMode::kRead);
      if (!file.ok()) continue;  // a folder
      ENGRAM_RETURN_IF_ERROR(SearchRest(**file, 0));
    }
    return absl::OkStatus();
  }

  const std::string path_;
  const AbsentId& absent_;
  VerifyReport& report_;
  std::unique_ptr<kv::Store> store_;
  std::set<uint64_t> space_ids_;
};

}  // namespace

absl::Status VerifyAbsent(const std::string& path, const AbsentId& absent,
                          VerifyReport* report) {
  const size_t before = report->findings.size();
  ENGRAM_RETURN_IF_ERROR(IdSearch(path, absent, report).Run());
  report->absent = report->findings.size() == before;
  return absl::OkStatus();
}

}  // namespace engram::ctl
