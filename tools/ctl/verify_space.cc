#include "tools/ctl/verify_space.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "schema/key_layout.h"
#include "schema/vector_check.h"
#include "tools/ctl/verify_report.h"

namespace engram::ctl {
namespace {

constexpr absl::string_view kLinkPrefix = "l/";

class SpaceVerification {
 public:
  SpaceVerification(const kv::Store& store, const std::string& family,
                    const schema::Head& head, const KnownSpace& space,
                    bool log_complete, VerifyReport* report)
      : store_(store),
        family_(family),
        head_(head),
        space_(space),
        log_complete_(log_complete),
        report_(*report) {}

  void Run() {
    bool parts_intact = true;
    for (const schema::PartReference& part : head_.vector_parts) {
      if (!ReadVectors(part)) parts_intact = false;
    }
    for (const schema::PartReference& part : head_.link_parts) {
      if (!ReadLinks(part, /*base=*/true)) parts_intact = false;
    }
    for (const schema::PartReference& part : head_.link_deltas) {
      if (!ReadLinks(part, /*base=*/false)) parts_intact = false;
    }
    if (parts_intact) parts_intact = CheckAllRowsKnown();
    ReadRecords();
    ReadDeadLetters();
    FindStrayKeys();
    report_.nodes += head_.slot_count;
    // With a part missing, everything that names its nodes would be reported
    // once more.
    if (!parts_intact || nodes_.size() != head_.slot_count) return;
    CheckLiveNodes();
    CheckRecords();
    if (head_.has_graph) {
      CheckGraph();
    } else {
      CheckUnlinked();
    }
  }

 private:
  // One row: a version that was ever saved.
  struct Node {
    bool is_twin() const { return twin_of != schema::kNoTwin; }

    std::string id;
    Lsn lsn = 0;
    bool has_links = false;  // what they are is known
    bool removed = false;
    std::vector<std::vector<uint32_t>> layers;
    uint32_t twin_of = schema::kNoTwin;
  };

  struct SavedRecord {
    Lsn lsn = 0;
    uint32_t slot = 0;
  };

  void Damage(const std::string& key, std::string message) {
    AddDamage(&report_, absl::StrCat("column family ", family_, ", key ", key),
              std::move(message));
  }

  void NodeDamage(uint32_t slot, std::string message) {
    AddDamage(&report_,
              absl::StrCat("column family ", family_, ", node ", slot),
              std::move(message));
  }

  static std::string RecordName(absl::string_view id) {
    return absl::StrCat("r/", absl::CHexEscape(id));
  }

  bool ReadVectors(const schema::PartReference& reference);
  bool ReadLinks(const schema::PartReference& reference, bool base);
  bool CheckAllRowsKnown();
  void ReadRecords();
  void ReadDeadLetters();
  void CheckDeadLetter(const schema::DeadLetter& letter);
  void FindStrayKeys();
  void CheckLiveNodes();
  void CheckRecords();
  void CheckGraph();
  void CheckUnlinked();
  void CheckNodeLinks(uint32_t slot);
  void CheckTwin(uint32_t slot);
  void CountUnreachable();

  // Whether the saved record of `id`, of which no node is live, may be there.
  bool MayLag(const std::string& id, const SavedRecord& record) const;

  const kv::Store& store_;
  const std::string& family_;
  const schema::Head& head_;
  const KnownSpace& space_;
  const bool log_complete_;
  VerifyReport& report_;

  std::vector<Node> nodes_;  // by row
  uint32_t links_read_ = 0;
  absl::flat_hash_map<std::string, SavedRecord> records_;
  bool records_complete_ = true;
  absl::flat_hash_map<std::string, Lsn> dead_letters_;  // by id
  absl::flat_hash_set<std::string> listed_keys_;
};

bool SpaceVerification::ReadVectors(const schema::PartReference& reference) {
  const std::string key =
      schema::VectorPartKey(reference.index, reference.generation);
  const std::string name =
      absl::StrCat("v/", reference.index, "/", reference.generation);
  listed_keys_.insert(key);
  const absl::StatusOr<std::string> value = store_.Get(family_, key);
  if (!value.ok()) {
    Damage(name, std::string(value.status().message()));
    return false;
  }
  const absl::StatusOr<schema::VectorPart> part = schema::DecodeVectorPart(
      head_.space.id, head_.space.dimension, reference, *value);
  if (!part.ok()) {
    Damage(name, std::string(part.status().message()));
    return false;
  }
  for (size_t i = 0; i < part->lsns.size(); ++i) {
    if (part->lsns[i] == 0 || part->lsns[i] > head_.checkpoint_lsn) {
      Damage(name, absl::StrCat("row ", part->first_slot + i, " has LSN ",
                                part->lsns[i], ", the head's is ",
                                head_.checkpoint_lsn));
    }
    const absl::Status vector = schema::CheckVector(head_.space, part->row(i));
    if (!vector.ok()) {
      Damage(name, absl::StrCat("row ", part->first_slot + i, ": ",
                                vector.message()));
    }
    Node node;
    node.lsn = part->lsns[i];
    node.id = std::string(part->ids[i]);
    nodes_.push_back(std::move(node));
  }
  return true;
}

bool SpaceVerification::ReadLinks(const schema::PartReference& reference,
                                  bool base) {
  const std::string key =
      schema::LinkPartKey(reference.generation, reference.index);
  const std::string name =
      absl::StrCat("l/", reference.generation, "/", reference.index);
  listed_keys_.insert(key);
  const absl::StatusOr<std::string> value = store_.Get(family_, key);
  if (!value.ok()) {
    Damage(name, std::string(value.status().message()));
    return false;
  }
  absl::StatusOr<std::vector<schema::NodeLinks>> links = schema::DecodeLinkPart(
      head_.space.id, head_.slot_count, head_.space.M, reference, *value);
  if (!links.ok()) {
    Damage(name, std::string(links.status().message()));
    return false;
  }
  for (schema::NodeLinks& node : *links) {
    // Vectors may be missing; then nothing is done with the links anyway.
    if (base && node.slot != links_read_) {
      Damage(name, absl::StrCat("holds node ", node.slot, ", expected ",
                                links_read_));
      return false;
    }
    ++links_read_;
    if (node.slot >= nodes_.size()) continue;
    nodes_[node.slot].has_links = true;
    nodes_[node.slot].removed = node.removed;
    nodes_[node.slot].twin_of = node.twin_of;
    nodes_[node.slot].layers = std::move(node.layers);
  }
  return true;
}

bool SpaceVerification::CheckAllRowsKnown() {
  for (uint32_t slot = 0; slot < nodes_.size(); ++slot) {
    if (nodes_[slot].has_links) continue;
    Damage("m/head", absl::StrCat("none of its link parts holds node ", slot,
                                  " of ", nodes_.size()));
    return false;
  }
  return true;
}

void SpaceVerification::ReadRecords() {
  const absl::Status status = store_.Scan(
      family_, schema::kRecordPrefix,
      [this](absl::string_view key, absl::string_view value) {
        key.remove_prefix(schema::kRecordPrefix.size());
        const absl::StatusOr<schema::Record> record =
            schema::DecodeRecordValue(head_.space.id, value);
        if (!record.ok()) {
          Damage(RecordName(key), std::string(record.status().message()));
          records_complete_ = false;
          return absl::OkStatus();
        }
        if (record->lsn == 0 || record->lsn > head_.checkpoint_lsn) {
          Damage(RecordName(key),
                 absl::StrCat("has LSN ", record->lsn, ", the head's is ",
                              head_.checkpoint_lsn));
        }
        records_[std::string(key)] = {record->lsn, record->slot};
        return absl::OkStatus();
      });
  if (status.ok()) return;
  records_complete_ = false;
  Damage("r/", std::string(status.message()));
}

// That no live node has the id of one is checked with the nodes.
void SpaceVerification::ReadDeadLetters() {
  uint32_t count = 0;
  const absl::Status status = store_.Scan(
      family_, schema::kDeadLetterPrefix,
      [this, &count](absl::string_view key, absl::string_view value) {
        ++count;
        const Lsn lsn = schema::NumberInKey(schema::kDeadLetterPrefix, key);
        const absl::StatusOr<schema::DeadLetter> letter =
            schema::DecodeDeadLetter(head_.space.id, lsn, head_.space.dimension,
                                     value);
        if (letter.ok()) {
          CheckDeadLetter(*letter);
        } else {
          Damage(absl::StrCat("d/", lsn),
                 std::string(letter.status().message()));
        }
        return absl::OkStatus();
      });
  if (!status.ok()) Damage("d/", std::string(status.message()));
  if (count != head_.dead_letters) {
    Damage("m/head",
           absl::StrCat("there are ", count, " dead letters, and it says ",
                        head_.dead_letters));
  }
}

void SpaceVerification::CheckDeadLetter(const schema::DeadLetter& letter) {
  const std::string name = absl::StrCat("d/", letter.lsn);
  if (letter.lsn > head_.checkpoint_lsn) {
    Damage(name, absl::StrCat("the head's LSN is ", head_.checkpoint_lsn));
  }
  const absl::Status vector = schema::CheckVector(head_.space, letter.vector);
  if (!vector.ok()) Damage(name, std::string(vector.message()));
  const auto [it, unique] = dead_letters_.emplace(letter.id, letter.lsn);
  if (!unique) {
    Damage(name, absl::StrCat("its id is that of dead letter ", it->second,
                              " as well"));
  }
}

// Parts that the head does not list are left from a checkpoint whose success
// its writer never learned of; they are never read.
void SpaceVerification::FindStrayKeys() {
  const absl::Status status = store_.Scan(
      family_, "", [this](absl::string_view key, absl::string_view) {
        if (key == schema::kHeadKey ||
            absl::StartsWith(key, schema::kRecordPrefix) ||
            absl::StartsWith(key, schema::kDeadLetterPrefix) ||
            listed_keys_.contains(key)) {
          return absl::OkStatus();
        }
        const bool part = absl::StartsWith(key, schema::kVectorPrefix) ||
                          absl::StartsWith(key, kLinkPrefix);
        AddWarning(&report_,
                   absl::StrCat("column family ", family_, ", key ",
                                absl::CHexEscape(key)),
                   part ? "is not listed by the head" : "is none of Engram's");
        return absl::OkStatus();
      });
  if (!status.ok()) Damage("(all)", std::string(status.message()));
}

void SpaceVerification::CheckLiveNodes() {
  absl::flat_hash_map<absl::string_view, uint32_t> live;
  for (uint32_t slot = 0; slot < nodes_.size(); ++slot) {
    const Node& node = nodes_[slot];
    if (node.removed) continue;
    ++report_.live_nodes;
    if (node.is_twin()) ++report_.twins;
    const auto [it, unique] = live.emplace(node.id, slot);
    if (!unique) {
      NodeDamage(slot, absl::StrCat("its id is live in node ", it->second,
                                    " as well"));
    }
    const auto letter = dead_letters_.find(node.id);
    if (letter != dead_letters_.end()) {
      NodeDamage(slot, absl::StrCat("its id is that of dead letter ",
                                    letter->second, " as well"));
    }
    // A node is saved with its record in one step, whatever the log adds.
    const auto record = records_.find(node.id);
    if (record == records_.end()) {
      if (records_complete_) {
        NodeDamage(slot, absl::StrCat("its record ", RecordName(node.id),
                                      " is missing"));
      }
    } else if (record->second.lsn != node.lsn || record->second.slot != slot) {
      NodeDamage(slot, absl::StrCat("has LSN ", node.lsn, "; its record ",
                                    RecordName(node.id), " says node ",
                                    record->second.slot, ", LSN ",
                                    record->second.lsn));
    }
    // What remains in records_ belongs to no live node.
    records_.erase(node.id);
  }
  if (live.size() != head_.live_count) {
    Damage("m/head", absl::StrCat("says ", head_.live_count,
                                  " live nodes, there are ", live.size()));
  }
}

void SpaceVerification::CheckRecords() {
  for (const auto& [id, record] : records_) {
    if (MayLag(id, record)) continue;
    Damage(RecordName(id),
           absl::StrCat("has LSN ", record.lsn, " and node ", record.slot,
                        "; no live node has this id, and no record of the log "
                        "replaces or removes it"));
  }
}

// Version 1 of an id is saved. Version 2 comes, and version 3 while 2 waits:
// 2 then gets no node and no record, but node 1 is removed. A checkpoint
// between 2 and 3 finds no live node of the id, and leaves the record of
// version 1 to the checkpoint that saves 3 (or its removal). Until then the log
// holds 3. The same happens to the records that wait when a space is dropped.
bool SpaceVerification::MayLag(const std::string& id,
                               const SavedRecord& record) const {
  if (record.slot >= nodes_.size()) return false;
  const Node& node = nodes_[record.slot];
  if (!node.removed || node.id != id || node.lsn != record.lsn) return false;
  return !log_complete_ || space_.dropped_in_log ||
         space_.waiting_ids.contains(id);
}

void SpaceVerification::CheckGraph() {
  const size_t findings_before = report_.findings.size();
  for (uint32_t slot = 0; slot < nodes_.size(); ++slot) CheckNodeLinks(slot);
  if (nodes_[head_.entry_slot].layers.size() != head_.entry_layer + size_t{1}) {
    Damage("m/head",
           absl::StrCat("the entry point, node ", head_.entry_slot,
                        ", should stand on layers 0 to ", head_.entry_layer,
                        ", but stands on ",
                        nodes_[head_.entry_slot].layers.size(), " layers"));
  }
  if (report_.findings.size() == findings_before) CountUnreachable();
}

void SpaceVerification::CheckUnlinked() {
  for (uint32_t slot = 0; slot < nodes_.size(); ++slot) {
    if (nodes_[slot].layers.empty() && !nodes_[slot].is_twin()) continue;
    NodeDamage(slot, "has links, but the space has no graph");
  }
}

// Removed rows are nodes in what version 1 wrote, and have no layers since.
void SpaceVerification::CheckNodeLinks(uint32_t slot) {
  const Node& node = nodes_[slot];
  if (node.is_twin()) {
    CheckTwin(slot);
    return;
  }
  if (node.layers.empty() && !node.removed) {
    NodeDamage(slot, "is not part of the graph");
    return;
  }
  for (size_t layer = 0; layer < node.layers.size(); ++layer) {
    for (const uint32_t neighbor : node.layers[layer]) {
      if (nodes_[neighbor].layers.size() > layer) continue;
      NodeDamage(slot, absl::StrCat("its neighbor ", neighbor,
                                    " does not stand on layer ", layer));
    }
  }
}

void SpaceVerification::CheckTwin(uint32_t slot) {
  const uint32_t head_slot = nodes_[slot].twin_of;
  const Node& head = nodes_[head_slot];
  absl::string_view what;
  if (head.is_twin()) {
    what = "is a twin itself";
  } else if (head.layers.empty()) {
    what = head.removed ? "is removed" : "is not part of the graph";
  } else {
    return;
  }
  NodeDamage(slot,
             absl::StrCat("is a twin of node ", head_slot, ", which ", what));
}

// A twin is found through its head, which is counted itself.
void SpaceVerification::CountUnreachable() {
  std::vector<bool> reached(nodes_.size(), false);
  std::vector<uint32_t> queue = {head_.entry_slot};
  reached[head_.entry_slot] = true;
  for (size_t next = 0; next < queue.size(); ++next) {
    for (const uint32_t neighbor : nodes_[queue[next]].layers[0]) {
      if (reached[neighbor]) continue;
      reached[neighbor] = true;
      queue.push_back(neighbor);
    }
  }
  uint64_t unreachable = 0;
  for (size_t slot = 0; slot < nodes_.size(); ++slot) {
    const Node& node = nodes_[slot];
    if (!node.removed && !node.is_twin() && !reached[slot]) ++unreachable;
  }
  if (unreachable == 0) return;
  report_.unreachable_nodes += unreachable;
  AddDamage(&report_, absl::StrCat("column family ", family_),
            absl::StrCat(unreachable, " of the space's ", head_.live_count,
                         " live nodes cannot be reached from the entry point, "
                         "node ",
                         head_.entry_slot));
}

}  // namespace

void VerifySpace(const kv::Store& store, const std::string& family,
                 const schema::Head& head, const KnownSpace& space,
                 bool log_complete, VerifyReport* report) {
  SpaceVerification(store, family, head, space, log_complete, report).Run();
}

}  // namespace engram::ctl
