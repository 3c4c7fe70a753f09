#include "engine/index/slot_distance.h"

#include <algorithm>
#include <cstring>

#include "storage/base/check.h"

namespace engram::index {
namespace {

// What lies behind is fetched by the kernels and by the hardware.
constexpr size_t kPrefetchBytesMax = 512;

// An estimate by 4 bits errs by .12 of |q||x| over the root of the dimension.
// From here on that is no loss; at 100 dimensions it took .003 of the recall of
// GloVe at ef 64.
constexpr uint32_t kMiddleDimensionMin = 512;

}  // namespace

SlotDistance::SlotDistance(const NodeStore& nodes, const VectorDistance& exact,
                           const std::optional<VectorCodec>& codec)
    : nodes_(nodes),
      exact_(exact),
      codec_(codec.has_value() ? &*codec : nullptr) {
  if (codec_ == nullptr) {
    prefetch_bytes_ =
        std::min(exact.dimension() * sizeof(float), kPrefetchBytesMax);
    return;
  }
  has_crumbs_ = codec_->quantization() == schema::Quantization::kInt2;
  // Inner products have no small distances, which estimates are good at.
  middle_is_coarse_ = has_crumbs_ &&
                      codec_->metric() != schema::Metric::kInnerProduct &&
                      codec_->dimension() >= kMiddleDimensionMin;
  walk_is_coarse_ = codec_->quantization() != schema::Quantization::kInt8;
  prefetch_bytes_ =
      std::min(has_crumbs_ ? codec_->CrumbRowBytes() : codec_->HighRowBytes(),
               kPrefetchBytesMax);
}

void SlotDistance::PrepareVector(absl::Span<const float> vector,
                                 SlotQuery* query) const {
  query->exact = exact_.Prepare(vector);
  if (codec_ != nullptr) codec_->Prepare(vector, &query->coded);
}

void SlotDistance::PrepareSlot(uint32_t slot, SlotQuery* query) const {
  if (codec_ != nullptr) {
    codec_->Load(CodesOf(slot), &query->coded);
  } else {
    query->exact = {nodes_.row(slot), nodes_.inverse_norm(slot)};
  }
}

void SlotDistance::Walk(const SlotQuery& query, const uint32_t* slots,
                        size_t count, float* out) const {
  if (!walk_is_coarse_) return Fine(query, slots, count, out);
  ENGRAM_DCHECK(count <= kHopSlotsMax);
  const uint8_t* rows[kHopSlotsMax];
  if (has_crumbs_) {
    for (size_t i = 0; i < count; ++i) rows[i] = nodes_.crumbs(slots[i]);
  } else {
    for (size_t i = 0; i < count; ++i) rows[i] = nodes_.high(slots[i]);
  }
  codec_->WalkDistances(query.coded, rows, count, out);
}

void SlotDistance::Middle(const SlotQuery& query, const uint32_t* slots,
                          size_t count, float* out) const {
  if (!middle_is_coarse_) return Fine(query, slots, count, out);
  ENGRAM_DCHECK(count <= kHopSlotsMax);
  const uint8_t* high[kHopSlotsMax];
  for (size_t i = 0; i < count; ++i) high[i] = nodes_.high(slots[i]);
  codec_->HighDistances(query.coded, high, count, out);
}

void SlotDistance::Fine(const SlotQuery& query, const uint32_t* slots,
                        size_t count, float* out) const {
  if (codec_ == nullptr) return Exact(query, slots, count, out);
  ENGRAM_DCHECK(count <= kHopSlotsMax);
  const uint8_t* high[kHopSlotsMax];
  const uint8_t* low[kHopSlotsMax];
  for (size_t i = 0; i < count; ++i) {
    high[i] = nodes_.high(slots[i]);
    low[i] = nodes_.low(slots[i]);
  }
  codec_->FineDistances(query.coded, high, low, count, out);
}

void SlotDistance::Exact(const SlotQuery& query, const uint32_t* slots,
                         size_t count, float* out) const {
  ENGRAM_DCHECK(count <= kHopSlotsMax);
  const float* rows[kHopSlotsMax];
  rows[0] = nullptr;  // silences a false warning of g++ 12
  for (size_t i = 0; i < count; ++i) rows[i] = nodes_.row(slots[i]);
  exact_.Accumulate(query.exact, rows, count, out);
  float inverse_norms[kHopSlotsMax];
  if (exact_.metric() == schema::Metric::kCosine) {
    // Read after the rows, with whose last cache lines they came.
    for (size_t i = 0; i < count; ++i) {
      inverse_norms[i] = rows[i][exact_.dimension()];
    }
  }
  exact_.Finish(query.exact, inverse_norms, count, out);
}

bool SlotDistance::AreTwins(uint32_t a, uint32_t b) const {
  if (codec_ != nullptr) return codec_->SameCodes(CodesOf(a), CodesOf(b));
  return std::memcmp(nodes_.row(a), nodes_.row(b),
                     size_t{exact_.dimension()} * sizeof(float)) == 0;
}

}  // namespace engram::index
