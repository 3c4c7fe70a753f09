// What a simulated disk holds: what is durable, and what would be lost with the
// power. A value without threads or faults; SimDisk puts those around it.

#ifndef ENGRAM_STORAGE_IO_SIM_STATE_H_
#define ENGRAM_STORAGE_IO_SIM_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace engram::io {

// A file or a folder, whatever its names are. Never used twice on one disk.
using SimNode = uint64_t;
inline constexpr SimNode kSimNone = 0;
inline constexpr SimNode kSimRoot = 1;

// A name in a folder.
struct SimEntry {
  SimNode folder = kSimNone;
  std::string name;

  friend bool operator<(const SimEntry& a, const SimEntry& b) {
    return std::tie(a.folder, a.name) < std::tie(b.folder, b.name);
  }
};

// One change of the disk. Whoever makes it has checked that it is possible.
struct SimOperation {
  enum class Kind : uint8_t {
    kCreateFile,    // `node`, a new one, as `from`
    kCreateFolder,  // the same
    kWrite,         // `bytes` at `offset` of `node`
    kTruncate,      // `node` to `offset` bytes
    kSync,          // makes the bytes of `node` durable
    kSyncFailed,    // loses pages of them; `seed` says which
    kRename,        // `from` to `to`
    kLink,          // `node`, which is `from`, as `to` as well
    kRemove,        // `from`
    kSyncFolder,    // makes the names in the folder `node` durable
  };

  Kind kind = Kind::kWrite;
  SimNode node = kSimNone;
  SimEntry from;
  SimEntry to;
  uint64_t offset = 0;
  std::shared_ptr<const std::string> bytes;
  uint64_t seed = 0;
};

// The rules, those of a POSIX file system that promises nothing it need not:
//  - Bytes are durable when their file is synced, names when their folder is.
//    Syncing a file makes no name durable.
//  - Without a sync any part of what was written over other bytes may survive:
//    each write as a whole, or torn at 512 or 4,096 bytes, whatever was written
//    after it. One piece never holds older bytes than a sync has made durable.
//  - Of what a file grew by, a beginning survives, torn at the same places:
//    file systems with a journal write data before the size, and RocksDB, whose
//    manifest is read up to its end, relies on it. The log's segments do not
//    grow.
//  - Of names, each change survives or does not, a rename never by half; a
//    change survives only with the earlier ones that touched the same names.
//    In RocksDB's folder, only with all earlier ones there: it creates a
//    manifest and renames CURRENT without a sync between the two, and relies
//    on what every file system with a journal does.
//  - A failed sync: the bytes it should have saved are read back as if nothing
//    had happened, but some of them are no longer on their way to the disk, and
//    the next sync succeeds without them.
class SimState {
 public:
  // Folders of this name keep the order of their changes.
  explicit SimState(absl::string_view ordered_folder = "");

  void Apply(const SimOperation& operation);

  // What a machine finds that starts after the power failed now. The same seed
  // gives the same.
  SimState AfterCrash(uint64_t seed) const;

  // --- What a running machine sees.
  SimNode Find(absl::string_view path) const;
  SimNode Find(const SimEntry& entry) const;
  // The name that a file has now, without its folders; empty if it has none.
  std::string NameOf(SimNode file) const;
  bool IsFolder(SimNode node) const { return folders_.count(node) != 0; }
  bool IsFile(SimNode node) const { return files_.count(node) != 0; }
  std::vector<std::string> List(SimNode folder) const;
  uint64_t CountNames(SimNode file) const;
  const std::string& Bytes(SimNode file) const;
  SimNode next_node() const { return next_node_; }

 private:
  // What a file was asked to become since its last sync.
  struct Change {
    bool truncates = false;
    uint64_t offset = 0;  // the new size, if it truncates
    std::shared_ptr<const std::string> bytes;
  };
  struct File {
    std::string bytes;
    std::string durable;
    std::vector<Change> changes;
  };
  // A change of names that may be lost. One that only adds has no `from`, one
  // that only removes no `to`.
  struct Move {
    SimNode node = kSimNone;
    SimEntry from;
    SimEntry to;
  };
  struct Folder {
    std::map<std::string, SimNode> names;
    std::map<std::string, SimNode> durable;
    bool ordered = false;
  };

  struct Survival;

  static void ApplyChange(const Change& change, std::string* bytes);
  static void ApplyPiece(const Change& change, uint64_t begin, uint64_t end,
                         std::string* bytes);
  static void FailSync(uint64_t seed, File* file);
  static void Survive(absl::Span<const Change> changes,
                      const Survival& survival, std::mt19937_64* random,
                      std::string* bytes);
  static void MakeDurable(const Move& move, std::map<SimNode, Folder>* folders);
  static bool Touches(const Move& move, const std::set<SimEntry>& entries);
  void AddMove(SimNode node, const SimEntry& from, const SimEntry& to);
  // Those of the folders that `move` touches, one or two, that are ordered.
  std::vector<SimNode> OrderedFolders(const Move& move) const;
  void SyncFolder(SimNode folder);
  std::vector<bool> ChooseMoves(const Survival& survival) const;
  // Adds to `chosen`, which has a place for each move, what they need.
  void CloseOverNames(std::vector<bool>* chosen) const;

  std::string ordered_folder_;
  std::map<SimNode, File> files_;
  std::map<SimNode, Folder> folders_;
  std::vector<Move> moves_;
  SimNode next_node_ = kSimRoot + 1;
};

// "/a/b" and "//a/b/" are the names "a" and "b".
std::vector<absl::string_view> SimPathNames(absl::string_view path);

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_SIM_STATE_H_
