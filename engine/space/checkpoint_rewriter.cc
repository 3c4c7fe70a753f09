#include "engine/space/checkpoint_rewriter.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/space/part_reader.h"
#include "engine/space/slot_table.h"
#include "schema/key_layout.h"
#include "schema/link_node.h"
#include "schema/link_part_builder.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

using schema::PartReference;

class CheckpointRewriter {
 public:
  CheckpointRewriter(kv::Store* store, const std::string& family,
                     const schema::Head& head, uint64_t generation,
                     const std::vector<bool>& kept)
      : store_(*store), family_(family), old_(head), kept_(kept) {
    rewritten_.head = head;
    rewritten_.head.generation = generation;
    rewritten_.head.vector_parts.clear();
    rewritten_.head.link_parts.clear();
    rewritten_.head.link_deltas.clear();
  }

  absl::StatusOr<RewrittenCheckpoint> Run() {
    ENGRAM_ASSIGN_OR_RETURN(nodes_, ReadAllLinks(store_, family_, old_));
    NumberRows();
    ENGRAM_ASSIGN_OR_RETURN(ingest_, store_.NewIngest(family_));
    ENGRAM_RETURN_IF_ERROR(PutVectors());
    ENGRAM_RETURN_IF_ERROR(PutLinks());
    ENGRAM_RETURN_IF_ERROR(
        ingest_->Put(schema::kHeadKey, schema::EncodeHead(rewritten_.head)));
    ENGRAM_RETURN_IF_ERROR(PutRecords());
    ENGRAM_RETURN_IF_ERROR(ingest_->Commit());
    rewritten_.bytes = ingest_->bytes();
    return std::move(rewritten_);
  }

 private:
  void NumberRows() {
    rewritten_.new_rows.assign(old_.slot_count, kNoRow);
    uint32_t next = 0;
    for (uint32_t row = 0; row < old_.slot_count; ++row) {
      const schema::NodeLinks& node = nodes_[row];
      if (node.removed && node.layers.empty() && !kept_[row]) continue;
      rewritten_.new_rows[row] = next++;
    }
    rewritten_.head.slot_count = next;
    if (old_.has_graph) {
      rewritten_.head.entry_slot = rewritten_.new_rows[old_.entry_slot];
    }
  }

  absl::Status DeleteVectors(uint32_t up_to_segment) {
    for (; next_deleted_ < old_.vector_parts.size(); ++next_deleted_) {
      const PartReference& part = old_.vector_parts[next_deleted_];
      if (part.index > up_to_segment) break;
      ENGRAM_RETURN_IF_ERROR(
          ingest_->Delete(schema::VectorPartKey(part.index, part.generation)));
    }
    return absl::OkStatus();
  }

  // The parts of a segment before, which have lower generations, and its only
  // one now, in ascending order of keys.
  absl::Status PutSegment(const std::vector<schema::VectorRow>& rows,
                          uint32_t first_row, uint32_t per_segment) {
    const uint32_t segment = first_row / per_segment;
    ENGRAM_RETURN_IF_ERROR(DeleteVectors(segment));
    const uint64_t generation = rewritten_.head.generation;
    const std::string value =
        schema::EncodeVectorPart(old_.space.id, generation, first_row, rows);
    rewritten_.head.vector_parts.push_back({generation, segment, first_row,
                                            static_cast<uint32_t>(rows.size()),
                                            schema::EnvelopeCrc(value)});
    return ingest_->Put(schema::VectorPartKey(segment, generation), value);
  }

  absl::Status PutVectors() {
    const uint32_t per_segment =
        schema::VectorSegmentSlots(old_.space.dimension);
    std::vector<schema::VectorRow> rows;
    // What `rows` point into.
    std::vector<std::unique_ptr<const schema::VectorPart>> parts;
    uint32_t first_row = 0;
    for (const PartReference& reference : old_.vector_parts) {
      ENGRAM_ASSIGN_OR_RETURN(
          schema::VectorPart read,
          ReadVectorPart(store_, family_, old_.space, reference));
      parts.push_back(
          std::make_unique<const schema::VectorPart>(std::move(read)));
      const schema::VectorPart& part = *parts.back();
      for (size_t i = 0; i < part.lsns.size(); ++i) {
        if (rewritten_.new_rows[part.first_slot + i] == kNoRow) continue;
        rows.push_back(schema::RowOf(part, i));
        if (rows.size() < per_segment) continue;
        ENGRAM_RETURN_IF_ERROR(PutSegment(rows, first_row, per_segment));
        first_row += per_segment;
        rows.clear();
        parts.erase(parts.begin(), parts.end() - 1);
      }
    }
    if (!rows.empty()) {
      ENGRAM_RETURN_IF_ERROR(PutSegment(rows, first_row, per_segment));
    }
    return DeleteVectors(UINT32_MAX);
  }

  void Encode(const schema::NodeLinks& node) {
    if (node.twin_of != schema::kNoTwin) {
      encoded_.SetTwin(rewritten_.new_rows[node.twin_of]);
      return;
    }
    if (node.layers.empty()) {
      encoded_.SetPlain(node.removed);
      return;
    }
    encoded_.SetLayers(static_cast<uint32_t>(node.layers.size()), node.removed);
    for (const std::vector<uint32_t>& neighbors : node.layers) {
      // Rows keep their order, so these stay sorted.
      neighbors_.clear();
      for (const uint32_t neighbor : neighbors) {
        neighbors_.push_back(rewritten_.new_rows[neighbor]);
      }
      encoded_.AddLayer(neighbors_);
    }
  }

  absl::Status PutLinks() {
    std::vector<PartReference> old_parts = old_.link_parts;
    old_parts.insert(old_parts.end(), old_.link_deltas.begin(),
                     old_.link_deltas.end());
    for (const PartReference& part : old_parts) {
      ENGRAM_RETURN_IF_ERROR(
          ingest_->Delete(schema::LinkPartKey(part.generation, part.index)));
    }
    schema::LinkPartBuilder part;
    for (const schema::NodeLinks& node : nodes_) {
      if (rewritten_.new_rows[node.slot] == kNoRow) continue;
      ENGRAM_RETURN_IF_ERROR(CheckNeighbors(node));
      Encode(node);
      part.Add(rewritten_.new_rows[node.slot], encoded_.bytes());
      if (part.IsFull()) ENGRAM_RETURN_IF_ERROR(FlushLinks(&part));
    }
    nodes_ = {};
    return part.count() == 0 ? absl::OkStatus() : FlushLinks(&part);
  }

  absl::Status FlushLinks(schema::LinkPartBuilder* part) {
    std::vector<PartReference>& references = rewritten_.head.link_parts;
    const uint64_t generation = rewritten_.head.generation;
    PartReference reference;
    const std::string value =
        part->Finish(old_.space.id, generation,
                     static_cast<uint32_t>(references.size()), &reference);
    references.push_back(reference);
    return ingest_->Put(schema::LinkPartKey(generation, reference.index),
                        value);
  }

  // What is read may be hostile: nothing may lead to a row that goes.
  absl::Status CheckNeighbors(const schema::NodeLinks& node) const {
    std::optional<uint32_t> missing;
    const auto look_at = [this, &missing](uint32_t row) {
      if (rewritten_.new_rows[row] == kNoRow) missing = row;
    };
    if (node.twin_of != schema::kNoTwin) look_at(node.twin_of);
    for (const std::vector<uint32_t>& neighbors : node.layers) {
      for (const uint32_t neighbor : neighbors) look_at(neighbor);
    }
    if (!missing.has_value()) return absl::OkStatus();
    return InFamily(family_, "l/",
                    absl::DataLossError(absl::StrCat(
                        "row ", node.slot, ": leads to row ", *missing,
                        ", which is removed and no node")));
  }

  absl::Status PutRecords() {
    return store_.Scan(
        family_, schema::kRecordPrefix,
        [this](absl::string_view key, absl::string_view value) {
          absl::StatusOr<schema::Record> record =
              schema::DecodeRecordValue(old_.space.id, value);
          if (record.ok() && record->slot >= old_.slot_count) {
            record = absl::DataLossError(absl::StrCat(
                "names row ", record->slot, " of ", old_.slot_count));
          }
          if (!record.ok()) {
            return InFamily(family_, absl::CHexEscape(key), record.status());
          }
          const uint32_t row = rewritten_.new_rows[record->slot];
          // Of a version that is gone; a later record of its id waits.
          if (row == kNoRow) return ingest_->Delete(key);
          return ingest_->Put(key, schema::EncodeRecordValue(
                                       old_.space.id, record->lsn, row,
                                       record->timestamp_us, record->payload));
        });
  }

  kv::Store& store_;
  const std::string& family_;
  const schema::Head& old_;
  const std::vector<bool>& kept_;
  std::unique_ptr<kv::Ingest> ingest_;
  std::vector<schema::NodeLinks> nodes_;  // by row
  size_t next_deleted_ = 0;               // of old_.vector_parts
  std::vector<uint32_t> neighbors_;
  schema::LinkNode encoded_;
  RewrittenCheckpoint rewritten_;
};

}  // namespace

absl::StatusOr<RewrittenCheckpoint> RewriteCheckpoint(
    kv::Store* store, const std::string& family, const schema::Head& head,
    uint64_t generation, const std::vector<bool>& kept) {
  return CheckpointRewriter(store, family, head, generation, kept).Run();
}

}  // namespace engram::space
