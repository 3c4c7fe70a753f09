#include "engine/space/checkpoint_eraser.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/space/part_reader.h"
#include "schema/envelope.h"
#include "schema/key_layout.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

using schema::PartReference;

// What an erased row holds: an id and a vector that are valid, whatever the
// metric, for the sake of who reads the part.
constexpr absl::string_view kErasedId("\0", 1);

std::vector<float> ErasedVector(uint32_t dimension) {
  std::vector<float> vector(dimension);
  vector[0] = 1;
  return vector;
}

class CheckpointEraser {
 public:
  CheckpointEraser(kv::Store* store, const std::string& family,
                   const schema::Head& head, uint64_t generation,
                   const IdSet& ids, Lsn up_to)
      : store_(*store),
        family_(family),
        old_(head),
        generation_(generation),
        ids_(ids),
        up_to_(up_to),
        vector_(ErasedVector(head.space.dimension)) {}

  absl::StatusOr<ErasedRows> Run() {
    erased_.head = old_;
    ENGRAM_RETURN_IF_ERROR(FindSegments());
    AddRanges();
    if (segments_.empty()) return std::move(erased_);
    ENGRAM_ASSIGN_OR_RETURN(nodes_, ReadAllLinks(store_, family_, old_));
    ENGRAM_ASSIGN_OR_RETURN(ingest_, store_.NewIngest(family_));
    erased_.head.vector_parts.clear();
    const auto end = old_.vector_parts.end();
    for (auto first = old_.vector_parts.begin(); first != end;) {
      const auto last =
          std::find_if(first, end, [first](const PartReference& part) {
            return part.index != first->index;
          });
      ENGRAM_RETURN_IF_ERROR(PutSegment({&*first, size_t(last - first)}));
      first = last;
    }
    if (erased_.rows == 0) return std::move(erased_);
    erased_.head.generation = generation_;
    ENGRAM_RETURN_IF_ERROR(
        ingest_->Put(schema::kHeadKey, schema::EncodeHead(erased_.head)));
    ENGRAM_RETURN_IF_ERROR(ingest_->Commit());
    erased_.bytes = ingest_->bytes();
    return std::move(erased_);
  }

 private:
  // Also by parts that no head lists any more and tables still hold.
  absl::Status FindSegments() {
    absl::Status status;
    const auto look_at = [&](absl::string_view key, absl::string_view value) {
      if (value.empty()) return;  // of a deletion
      absl::StatusOr<schema::VectorPart> part =
          schema::DecodeUnlistedVectorPart(old_.space.id, old_.space.dimension,
                                           key, value);
      if (!part.ok()) {
        status.Update(InFamily(family_, "v/", part.status()));
        return;
      }
      const bool holds_one = std::any_of(
          part->ids.begin(), part->ids.end(),
          [this](absl::string_view id) { return ids_.contains(id); });
      if (holds_one) segments_.insert(schema::PlaceOfVectorPart(key).segment);
    };
    ENGRAM_RETURN_IF_ERROR(store_.ScanVersions(
        family_, {schema::VectorPartKey(0, 0), LastKeyOf(kLastSegment)},
        look_at));
    return status;
  }

  static std::string LastKeyOf(uint32_t segment) {
    return schema::VectorPartKey(segment, std::numeric_limits<uint64_t>::max());
  }

  void AddRanges() {
    for (const std::string& id : ids_) {
      const std::string key = schema::RecordKey(id);
      erased_.ranges.push_back({key, key});
    }
    erased_.ranges.push_back(
        {schema::DeadLetterKey(0),
         schema::DeadLetterKey(std::numeric_limits<uint64_t>::max())});
    for (const uint32_t segment : segments_) {
      erased_.ranges.push_back(
          {schema::VectorPartKey(segment, 0), LastKeyOf(segment)});
    }
  }

  // Whether this row is to be erased.
  absl::StatusOr<bool> IsErased(const schema::VectorPart& part,
                                size_t i) const {
    if (part.lsns[i] > up_to_ || !ids_.contains(part.ids[i])) return false;
    const schema::NodeLinks& node = nodes_[part.first_slot + i];
    if (node.removed && node.layers.empty()) return true;
    return absl::UnavailableError(absl::StrCat(
        "column family ", family_, ", row ", node.slot, ", LSN ", part.lsns[i],
        ": is still ", node.removed ? "a node" : "live"));
  }

  absl::Status PutSegment(absl::Span<const PartReference> references) {
    std::vector<PartReference>& listed = erased_.head.vector_parts;
    if (!segments_.contains(references[0].index)) {
      listed.insert(listed.end(), references.begin(), references.end());
      return absl::OkStatus();
    }
    std::vector<std::unique_ptr<const schema::VectorPart>> parts;
    std::vector<schema::VectorRow> rows;
    uint64_t erased_rows = 0;
    for (const PartReference& reference : references) {
      ENGRAM_ASSIGN_OR_RETURN(
          schema::VectorPart read,
          ReadVectorPart(store_, family_, old_.space, reference));
      parts.push_back(
          std::make_unique<const schema::VectorPart>(std::move(read)));
      const schema::VectorPart& part = *parts.back();
      for (size_t i = 0; i < part.lsns.size(); ++i) {
        ENGRAM_ASSIGN_OR_RETURN(const bool is_erased, IsErased(part, i));
        erased_rows += is_erased ? 1 : 0;
        rows.push_back(is_erased
                           ? schema::VectorRow{part.lsns[i], kErasedId, vector_}
                           : schema::RowOf(part, i));
      }
    }
    if (erased_rows == 0) {
      listed.insert(listed.end(), references.begin(), references.end());
      return absl::OkStatus();
    }
    erased_.rows += erased_rows;
    return PutPart(references, rows);
  }

  absl::Status PutPart(absl::Span<const PartReference> replaced,
                       absl::Span<const schema::VectorRow> rows) {
    for (const PartReference& part : replaced) {
      ENGRAM_RETURN_IF_ERROR(
          ingest_->Delete(schema::VectorPartKey(part.index, part.generation)));
    }
    const uint32_t segment = replaced[0].index;
    const uint32_t first_row = replaced[0].first_slot;
    const std::string value =
        schema::EncodeVectorPart(old_.space.id, generation_, first_row, rows);
    erased_.head.vector_parts.push_back({generation_, segment, first_row,
                                         static_cast<uint32_t>(rows.size()),
                                         schema::EnvelopeCrc(value)});
    return ingest_->Put(schema::VectorPartKey(segment, generation_), value);
  }

  static constexpr uint32_t kLastSegment = std::numeric_limits<uint32_t>::max();

  kv::Store& store_;
  const std::string& family_;
  const schema::Head& old_;
  const uint64_t generation_;
  const IdSet& ids_;
  const Lsn up_to_;
  const std::vector<float> vector_;
  std::set<uint32_t> segments_;  // that hold one of the ids
  std::vector<schema::NodeLinks> nodes_;
  std::unique_ptr<kv::Ingest> ingest_;
  ErasedRows erased_;
};

}  // namespace

absl::StatusOr<ErasedRows> EraseRows(kv::Store* store,
                                     const std::string& family,
                                     const schema::Head& head,
                                     uint64_t generation, const IdSet& ids,
                                     Lsn up_to) {
  return CheckpointEraser(store, family, head, generation, ids, up_to).Run();
}

}  // namespace engram::space
