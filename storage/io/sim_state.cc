#include "storage/io/sim_state.h"

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

#include "absl/strings/str_split.h"
#include "storage/base/check.h"

namespace engram::io {
namespace {

using Kind = SimOperation::Kind;

constexpr uint64_t kTearBytes[] = {512, 4096};

// What a failed sync loses.
constexpr uint64_t kPageBytes = 4096;

}  // namespace

// How much of what was not synced survives. The extremes, which a random
// choice for each of many changes would never be, come up often.
struct SimState::Survival {
  explicit Survival(std::mt19937_64* random) : random_(*random) {
    switch (random_() % 4) {
      case 0:
        percent_ = 0;
        break;
      case 1:
        percent_ = 100;
        break;
      default:
        percent_ = random_() % 101;
    }
    tear_percent_ = percent_ == 0 || percent_ == 100 ? 0 : random_() % 101;
  }

  bool Survives() const { return random_() % 100 < percent_; }
  bool Tears() const { return random_() % 100 < tear_percent_; }

  std::mt19937_64& random_;
  uint64_t percent_ = 0;
  uint64_t tear_percent_ = 0;
};

std::vector<absl::string_view> SimPathNames(absl::string_view path) {
  return absl::StrSplit(path, '/', absl::SkipEmpty());
}

SimState::SimState(absl::string_view ordered_folder)
    : ordered_folder_(ordered_folder) {
  folders_[kSimRoot];
}

void SimState::ApplyChange(const Change& change, std::string* bytes) {
  if (change.truncates) {
    bytes->resize(change.offset);
    return;
  }
  const uint64_t end = change.offset + change.bytes->size();
  if (bytes->size() < end) bytes->resize(end);
  std::copy(change.bytes->begin(), change.bytes->end(),
            bytes->begin() + static_cast<int64_t>(change.offset));
}

// What of the change is written to [begin, end).
void SimState::ApplyPiece(const Change& change, uint64_t begin, uint64_t end,
                          std::string* bytes) {
  Change piece;
  piece.offset = begin;
  piece.bytes = std::make_shared<const std::string>(
      *change.bytes, begin - change.offset, end - begin);
  ApplyChange(piece, bytes);
}

void SimState::Survive(absl::Span<const Change> changes,
                       const Survival& survival, std::mt19937_64* random,
                       std::string* bytes) {
  const uint64_t tear_bytes = kTearBytes[(*random)() % 2];
  const uint64_t durable_bytes = bytes->size();
  bool grows = true;
  for (const Change& change : changes) {
    const bool survives = survival.Survives();
    if (change.truncates) {
      if (survives) ApplyChange(change, bytes);
      continue;
    }
    const bool tears = survives && survival.Tears();
    const uint64_t end = change.offset + change.bytes->size();
    for (uint64_t begin = change.offset; begin < end;) {
      const uint64_t piece_end =
          std::min(end, (begin / tear_bytes + 1) * tear_bytes);
      const bool kept = survives && (!tears || (*random)() % 2 == 0);
      const bool growth = piece_end > durable_bytes;
      if (growth && !kept) grows = false;
      if (kept && (grows || !growth)) {
        ApplyPiece(change, begin, piece_end, bytes);
      }
      begin = piece_end;
    }
  }
}

void SimState::Apply(const SimOperation& operation) {
  switch (operation.kind) {
    case Kind::kCreateFile:
    case Kind::kCreateFolder:
      if (operation.kind == Kind::kCreateFile) {
        files_[operation.node];
      } else {
        folders_[operation.node].ordered =
            operation.from.name == ordered_folder_;
      }
      next_node_ = std::max(next_node_, operation.node + 1);
      AddMove(operation.node, {}, operation.from);
      break;
    case Kind::kWrite:
    case Kind::kTruncate: {
      File& file = files_.at(operation.node);
      file.changes.push_back({operation.kind == Kind::kTruncate,
                              operation.offset, operation.bytes});
      ApplyChange(file.changes.back(), &file.bytes);
      break;
    }
    case Kind::kSync: {
      File& file = files_.at(operation.node);
      for (const Change& change : file.changes) {
        ApplyChange(change, &file.durable);
      }
      file.changes.clear();
      break;
    }
    case Kind::kSyncFailed:
      FailSync(operation.seed, &files_.at(operation.node));
      break;
    case Kind::kRename:
      AddMove(operation.node, operation.from, operation.to);
      break;
    case Kind::kLink:
      AddMove(operation.node, {}, operation.to);
      break;
    case Kind::kRemove:
      AddMove(operation.node, operation.from, {});
      break;
    case Kind::kSyncFolder:
      SyncFolder(operation.node);
      break;
  }
}

void SimState::FailSync(uint64_t seed, File* file) {
  std::mt19937_64 random(seed);
  // Once a page is lost, all writes to it are.
  std::map<uint64_t, bool> written;  // by page
  const auto is_written = [&](uint64_t page) {
    const auto [it, is_new] = written.try_emplace(page, false);
    if (is_new) it->second = random() % 4 == 0;
    return it->second;
  };
  for (const Change& change : file->changes) {
    if (change.truncates) {
      if (random() % 4 == 0) ApplyChange(change, &file->durable);
      continue;
    }
    const uint64_t end = change.offset + change.bytes->size();
    for (uint64_t begin = change.offset; begin < end;) {
      const uint64_t page = begin / kPageBytes;
      const uint64_t page_end = std::min(end, (page + 1) * kPageBytes);
      if (is_written(page)) {
        ApplyPiece(change, begin, page_end, &file->durable);
      }
      begin = page_end;
    }
  }
  // The file is as long as before, or as it was when it was synced last.
  if (random() % 2 == 0 && file->durable.size() < file->bytes.size()) {
    file->durable.resize(file->bytes.size());
  }
  file->changes.clear();
}

void SimState::AddMove(SimNode node, const SimEntry& from, const SimEntry& to) {
  if (from.folder != kSimNone) {
    folders_.at(from.folder).names.erase(from.name);
  }
  if (to.folder != kSimNone) folders_.at(to.folder).names[to.name] = node;
  moves_.push_back({node, from, to});
}

bool SimState::Touches(const Move& move, const std::set<SimEntry>& entries) {
  return entries.count(move.from) != 0 || entries.count(move.to) != 0;
}

std::vector<SimNode> SimState::OrderedFolders(const Move& move) const {
  std::vector<SimNode> ordered;
  for (const SimNode folder : {move.from.folder, move.to.folder}) {
    if (folder != kSimNone && folders_.at(folder).ordered) {
      ordered.push_back(folder);
    }
  }
  return ordered;
}

std::vector<bool> SimState::ChooseMoves(const Survival& survival) const {
  std::vector<bool> chosen;
  std::set<SimNode> ended;  // ordered folders that lost a change
  for (const Move& move : moves_) {
    const std::vector<SimNode> ordered = OrderedFolders(move);
    const bool late = std::any_of(
        ordered.begin(), ordered.end(),
        [&ended](SimNode folder) { return ended.count(folder) != 0; });
    chosen.push_back(!late && survival.Survives());
    if (!chosen.back()) ended.insert(ordered.begin(), ordered.end());
  }
  CloseOverNames(&chosen);
  return chosen;
}

void SimState::CloseOverNames(std::vector<bool>* chosen) const {
  std::set<SimEntry> needed;
  std::set<SimNode> needed_folders;  // ordered, with all that comes before
  for (size_t i = moves_.size(); i-- > 0;) {
    const Move& move = moves_[i];
    const std::vector<SimNode> ordered = OrderedFolders(move);
    const bool before = std::any_of(
        ordered.begin(), ordered.end(),
        [&](SimNode folder) { return needed_folders.count(folder) != 0; });
    if (!(*chosen)[i] && !before && !Touches(move, needed)) continue;
    (*chosen)[i] = true;
    needed_folders.insert(ordered.begin(), ordered.end());
    for (const SimEntry& entry : {move.from, move.to}) {
      if (entry.folder != kSimNone) needed.insert(entry);
    }
  }
}

void SimState::MakeDurable(const Move& move,
                           std::map<SimNode, Folder>* folders) {
  if (move.from.folder != kSimNone) {
    folders->at(move.from.folder).durable.erase(move.from.name);
  }
  if (move.to.folder != kSimNone) {
    folders->at(move.to.folder).durable[move.to.name] = move.node;
  }
}

void SimState::SyncFolder(SimNode folder) {
  std::vector<bool> chosen;
  for (const Move& move : moves_) {
    chosen.push_back(move.from.folder == folder || move.to.folder == folder);
  }
  CloseOverNames(&chosen);
  std::vector<Move> left;
  for (size_t i = 0; i < moves_.size(); ++i) {
    Move& move = moves_[i];
    if (!chosen[i]) {
      left.push_back(std::move(move));
      continue;
    }
    MakeDurable(move, &folders_);
  }
  moves_ = std::move(left);
}

SimState SimState::AfterCrash(uint64_t seed) const {
  std::mt19937_64 random(seed);
  SimState after(ordered_folder_);
  after.next_node_ = next_node_;

  // Names first: what has none is gone with its bytes.
  std::map<SimNode, Folder> folders = folders_;
  const std::vector<bool> chosen = ChooseMoves(Survival(&random));
  for (size_t i = 0; i < moves_.size(); ++i) {
    if (chosen[i]) MakeDurable(moves_[i], &folders);
  }
  const Survival writes(&random);
  std::vector<SimNode> reached = {kSimRoot};
  while (!reached.empty()) {
    const SimNode number = reached.back();
    reached.pop_back();
    Folder& folder = after.folders_[number];
    folder.durable = folders.at(number).durable;
    folder.names = folder.durable;
    folder.ordered = folders.at(number).ordered;
    for (const auto& [name, node] : folder.names) {
      const auto file = files_.find(node);
      if (file == files_.end()) {
        reached.push_back(node);
      } else if (after.files_.count(node) == 0) {
        std::string& bytes = after.files_[node].durable;
        bytes = file->second.durable;
        Survive(file->second.changes, writes, &random, &bytes);
        after.files_[node].bytes = bytes;
      }
    }
  }
  return after;
}

SimNode SimState::Find(const SimEntry& entry) const {
  const auto folder = folders_.find(entry.folder);
  if (folder == folders_.end()) return kSimNone;
  const auto it = folder->second.names.find(entry.name);
  return it == folder->second.names.end() ? kSimNone : it->second;
}

std::string SimState::NameOf(SimNode file) const {
  for (const auto& [node, folder] : folders_) {
    for (const auto& [name, entry] : folder.names) {
      if (entry == file) return name;
    }
  }
  return "";
}

SimNode SimState::Find(absl::string_view path) const {
  SimNode node = kSimRoot;
  for (const absl::string_view name : SimPathNames(path)) {
    node = Find(SimEntry{node, std::string(name)});
    if (node == kSimNone) return kSimNone;
  }
  return node;
}

std::vector<std::string> SimState::List(SimNode folder) const {
  std::vector<std::string> names;
  for (const auto& [name, node] : folders_.at(folder).names) {
    names.push_back(name);
  }
  return names;
}

uint64_t SimState::CountNames(SimNode file) const {
  uint64_t count = 0;
  for (const auto& [number, folder] : folders_) {
    for (const auto& [name, node] : folder.names) count += node == file;
  }
  return count;
}

const std::string& SimState::Bytes(SimNode file) const {
  return files_.at(file).bytes;
}

}  // namespace engram::io
