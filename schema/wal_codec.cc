#include "schema/wal_codec.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "schema/limits.h"
#include "storage/base/check.h"
#include "storage/base/crc32c.h"
#include "storage/base/mutant.h"

namespace engram::schema {
namespace {

constexpr size_t kRecordCrcStart = offsetof(RecordHeader, lsn);

template <typename T>
T Load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
char* Store(const T& value, char* to) {
  std::memcpy(to, &value, sizeof(T));
  return to + sizeof(T);
}

char* StoreBytes(const void* from, size_t bytes, char* to) {
  if (bytes != 0) std::memcpy(to, from, bytes);
  return to + bytes;
}

size_t BodyBytes(const RecordDraft& draft) {
  switch (draft.type) {
    case RecordType::kObserve:
      return sizeof(ObserveBody) + draft.vector.size() * sizeof(float) +
             draft.id.size() + draft.payload.size();
    case RecordType::kRemove:
      return sizeof(RemoveBody) + draft.id.size();
    case RecordType::kCreateSpace:
      return draft.description.size();
    case RecordType::kSeal:
      return sizeof(SealBody);
    case RecordType::kDropSpace:
    case RecordType::kIdleMarker:
    case RecordType::kCleanClose:
      return 0;
  }
  ENGRAM_CHECK(false && "unknown record type");
  return 0;
}

uint32_t RecordCrc(uint64_t epoch, const char* record, uint32_t length) {
  const uint32_t crc = Crc32c(&epoch, sizeof(epoch));
  return ExtendCrc32c(crc, record + kRecordCrcStart, length - kRecordCrcStart);
}

// Sets the checksum of each record; returns that of them all. Both are put
// together from the checksum of what they share, so that the bytes, which come
// from the cache of other processors, are read once.
uint32_t SealRecords(uint64_t epoch, uint32_t count, char* record) {
  const uint32_t epoch_crc = Crc32c(&epoch, sizeof(epoch));
  uint32_t body_crc = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const auto length = Load<uint32_t>(record);
    const size_t shared = length - kRecordCrcStart;
    const uint32_t shared_crc = Crc32c(record + kRecordCrcStart, shared);
    Store(ConcatCrc32c(epoch_crc, shared_crc, shared),
          record + offsetof(RecordHeader, crc));
    body_crc = ExtendCrc32c(body_crc, record, kRecordCrcStart);
    body_crc = ConcatCrc32c(body_crc, shared_crc, shared);
    const size_t stride = RecordStride(record);
    body_crc = ExtendCrc32c(body_crc, record + length, stride - length);
    record += stride;
  }
  return body_crc;
}

void EncodeBody(const RecordDraft& draft, char* out) {
  switch (draft.type) {
    case RecordType::kObserve: {
      ObserveBody body{};
      body.dimension = static_cast<uint32_t>(draft.vector.size());
      body.payload_bytes = static_cast<uint32_t>(draft.payload.size());
      body.id_bytes = static_cast<uint16_t>(draft.id.size());
      body.timestamp_us = draft.timestamp_us;
      out = Store(body, out);
      out = StoreBytes(draft.vector.data(), draft.vector.size() * sizeof(float),
                       out);
      out = StoreBytes(draft.id.data(), draft.id.size(), out);
      StoreBytes(draft.payload.data(), draft.payload.size(), out);
      return;
    }
    case RecordType::kRemove: {
      RemoveBody body{};
      body.id_bytes = static_cast<uint16_t>(draft.id.size());
      out = Store(body, out);
      StoreBytes(draft.id.data(), draft.id.size(), out);
      return;
    }
    case RecordType::kCreateSpace:
      StoreBytes(draft.description.data(), draft.description.size(), out);
      return;
    case RecordType::kSeal:
      Store(SealBody{draft.next_segment}, out);
      return;
    case RecordType::kDropSpace:
    case RecordType::kIdleMarker:
    case RecordType::kCleanClose:
      return;
  }
}

// An infinity or a NaN has all bits of its exponent set.
bool AllFinite(const char* floats, size_t count) {
  constexpr uint32_t kExponent = 0x7f800000;
  bool finite = true;
  for (size_t i = 0; i < count; ++i) {
    const auto bits = Load<uint32_t>(floats + i * sizeof(float));
    finite &= (bits & kExponent) != kExponent;
  }
  return finite;
}

absl::Status BadRecord(Lsn lsn, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("log record ", lsn, ": ", what));
}

bool IsPossibleStamp(const RecordHeader& header) {
  if (header.producer == 0) {
    return header.producer_sequence == 0 && header.producer_previous == 0;
  }
  return header.producer_previous < header.producer_sequence;
}

// Checks that the body has exactly the bytes that its own fields ask for.
absl::Status CheckBody(const RecordHeader& header, const char* body,
                       size_t body_bytes) {
  const Lsn lsn = header.lsn;
  switch (static_cast<RecordType>(header.type)) {
    case RecordType::kObserve: {
      if (body_bytes < sizeof(ObserveBody)) return BadRecord(lsn, "too short");
      const auto observe = Load<ObserveBody>(body);
      const uint64_t want = sizeof(ObserveBody) +
                            uint64_t{observe.dimension} * sizeof(float) +
                            observe.id_bytes + observe.attributes_bytes +
                            uint64_t{observe.payload_bytes};
      if (want != body_bytes) return BadRecord(lsn, "sizes do not add up");
      if (observe.dimension == 0 || observe.dimension > kDimensionMax ||
          observe.id_bytes == 0 || observe.id_bytes > kIdBytesMax ||
          observe.payload_bytes > kPayloadBytesMax) {
        return BadRecord(lsn, "a size is out of range");
      }
      if (!AllFinite(body + sizeof(ObserveBody), observe.dimension)) {
        return BadRecord(lsn, "a component is no number");
      }
      return absl::OkStatus();
    }
    case RecordType::kRemove: {
      if (body_bytes < sizeof(RemoveBody)) return BadRecord(lsn, "too short");
      const auto remove = Load<RemoveBody>(body);
      if (remove.id_bytes == 0 || remove.id_bytes > kIdBytesMax ||
          sizeof(RemoveBody) + remove.id_bytes != body_bytes) {
        return BadRecord(lsn, "sizes do not add up");
      }
      return absl::OkStatus();
    }
    case RecordType::kCreateSpace:
      if (body_bytes == 0) return BadRecord(lsn, "too short");
      return absl::OkStatus();
    case RecordType::kSeal:
      if (body_bytes != sizeof(SealBody)) return BadRecord(lsn, "wrong size");
      return absl::OkStatus();
    case RecordType::kDropSpace:
    case RecordType::kIdleMarker:
    case RecordType::kCleanClose:
      if (body_bytes != 0) return BadRecord(lsn, "wrong size");
      return absl::OkStatus();
  }
  return BadRecord(lsn, absl::StrCat("unknown type ", header.type));
}

// Checks one record of a group; `left` is what the group still holds.
absl::Status CheckRecord(const GroupHeader& group, Lsn expected_lsn,
                         const char* record, size_t left) {
  if (left < sizeof(RecordHeader)) {
    return BadRecord(expected_lsn, "does not fit in its group");
  }
  const auto header = Load<RecordHeader>(record);
  if (header.length < sizeof(RecordHeader) || header.length > left) {
    return BadRecord(expected_lsn, absl::StrCat("length ", header.length,
                                                " of ", left, " bytes left"));
  }
  if (header.crc != RecordCrc(group.epoch, record, header.length)) {
    return BadRecord(expected_lsn, "checksum mismatch");
  }
  const bool marker = IsMarker(static_cast<RecordType>(header.type));
  if (marker && group.record_count != 1) {
    return BadRecord(expected_lsn, "a marker shares its group");
  }
  if (header.lsn != (marker ? expected_lsn - 1 : expected_lsn)) {
    return BadRecord(expected_lsn, absl::StrCat("has LSN ", header.lsn));
  }
  if (!IsPossibleStamp(header)) {
    return BadRecord(expected_lsn, "its producer's sequence is impossible");
  }
  return CheckBody(header, record + sizeof(RecordHeader),
                   header.length - sizeof(RecordHeader));
}

}  // namespace

size_t RecordBytes(const RecordDraft& draft) {
  return RoundUp(sizeof(RecordHeader) + BodyBytes(draft), kRecordAlignment);
}

void EncodeRecord(const RecordDraft& draft, Lsn lsn, char* out) {
  RecordHeader header{};
  header.length =
      static_cast<uint32_t>(sizeof(RecordHeader) + BodyBytes(draft));
  header.lsn = lsn;
  header.type = static_cast<uint8_t>(draft.type);
  header.space_id = draft.space_id;
  header.producer = draft.stamp.producer;
  header.producer_sequence = draft.stamp.sequence;
  header.producer_previous = draft.stamp.previous;
  std::memset(out + RecordBytes(draft) - kRecordAlignment, 0, kRecordAlignment);
  EncodeBody(draft, Store(header, out));
}

void SealGroup(const GroupSeal& seal, absl::Span<char> group) {
  ENGRAM_CHECK(group.size() == GroupBytes(seal.record_bytes));
  GroupHeader header{};
  header.magic = kGroupMagic;
  header.epoch = seal.epoch;
  header.sequence = seal.sequence;
  header.first_lsn = seal.first_lsn;
  header.durable_lsn = seal.durable_lsn;
  header.record_count = seal.record_count;
  header.record_bytes = seal.record_bytes;
  char* const records = group.data() + sizeof(GroupHeader);
  const size_t padding = group.size() - sizeof(GroupHeader) - seal.record_bytes;
  header.body_crc =
      ExtendCrc32c(SealRecords(seal.epoch, seal.record_count, records),
                   records + seal.record_bytes, padding);
  header.header_crc = Crc32c(&header, offsetof(GroupHeader, header_crc));
  Store(header, group.data());
}

void EncodeSegmentHeader(SegmentHeader header, char* block) {
  header.magic = kSegmentMagic;
  header.version = kWalFormatVersion;
  header.header_crc = 0;
  std::memset(block, 0, kWalBlockBytes);
  Store(header, block);
  const uint32_t crc = Crc32c(block, kWalBlockBytes);
  Store(crc, block + offsetof(SegmentHeader, header_crc));
}

absl::StatusOr<SegmentHeader> DecodeSegmentHeader(const char* block) {
  auto header = Load<SegmentHeader>(block);
  if (header.magic != kSegmentMagic) {
    return absl::DataLossError("segment header: wrong magic number");
  }
  constexpr size_t kCrcOffset = offsetof(SegmentHeader, header_crc);
  constexpr uint32_t kZero = 0;
  uint32_t crc = Crc32c(block, kCrcOffset);
  crc = ExtendCrc32c(crc, &kZero, sizeof(kZero));
  crc = ExtendCrc32c(crc, block + kCrcOffset + sizeof(kZero),
                     kWalBlockBytes - kCrcOffset - sizeof(kZero));
  if (crc != header.header_crc) {
    return absl::DataLossError("segment header: checksum mismatch");
  }
  if (header.version > kWalFormatVersion) {
    return absl::UnimplementedError(absl::StrCat(
        "log format version ", header.version,
        " is newer than the newest this build reads, ", kWalFormatVersion));
  }
  if (header.version == 0 || header.number == 0 ||
      header.number > kWalNumberMax || header.epoch == 0 ||
      header.first_lsn > kWalNumberMax ||
      header.first_lsn <= header.predecessor.last_lsn ||
      header.segment_bytes < kSegmentBytesMin ||
      header.segment_bytes > kSegmentBytesMax ||
      header.segment_bytes % kWalBlockBytes != 0 ||
      header.predecessor.number >= header.number) {
    return absl::DataLossError("segment header: a field is out of range");
  }
  return header;
}

bool DecodeGroupHeader(const char* block, uint64_t epoch, uint64_t bytes_left,
                       GroupHeader* header) {
  *header = Load<GroupHeader>(block);
  if (header->magic != kGroupMagic) return false;
  if (!Mutant("ignore_epoch") && header->epoch != epoch) return false;
  if (header->header_crc != Crc32c(block, offsetof(GroupHeader, header_crc))) {
    return false;
  }
  // A group cannot vouch for itself.
  return header->first_lsn <= kWalNumberMax &&
         header->durable_lsn < header->first_lsn && header->record_count != 0 &&
         GroupBytes(header->record_bytes) <= bytes_left;
}

uint32_t ChainCrc(uint32_t chain_crc, const GroupHeader& header) {
  // Without the header's own crc: the crc of bytes that are followed by their
  // crc is the same for all bytes.
  return ExtendCrc32c(chain_crc, &header, offsetof(GroupHeader, header_crc));
}

absl::Status DecodeGroup(const GroupHeader& header,
                         absl::Span<const char> group,
                         absl::FunctionRef<void(const RecordView&)> visit) {
  ENGRAM_CHECK(group.size() == GroupBytes(header.record_bytes));
  if (header.body_crc != Crc32c(group.data() + sizeof(GroupHeader),
                                group.size() - sizeof(GroupHeader))) {
    return absl::DataLossError(
        absl::StrCat("group at LSN ", header.first_lsn, ": checksum mismatch"));
  }
  const char* const first = group.data() + sizeof(GroupHeader);
  const char* const end = first + header.record_bytes;
  const char* record = first;
  for (uint32_t i = 0; i < header.record_count; ++i) {
    const absl::Status status =
        CheckRecord(header, header.first_lsn + i, record,
                    static_cast<size_t>(end - record));
    if (!status.ok()) return status;
    const size_t stride = RecordStride(record);
    if (stride > static_cast<size_t>(end - record)) {
      return BadRecord(header.first_lsn + i, "padding does not fit");
    }
    record += stride;
  }
  if (record != end) {
    return absl::DataLossError(absl::StrCat("group at LSN ", header.first_lsn,
                                            ": bytes after its last record"));
  }
  for (record = first; record != end; record += RecordStride(record)) {
    visit(ViewRecord(record));
  }
  return absl::OkStatus();
}

bool DecodeLooseRecord(uint64_t epoch, absl::Span<const char> bytes,
                       Lsn first_lsn, Lsn last_lsn, LooseRecord* record) {
  if (bytes.size() < sizeof(RecordHeader)) return false;
  const auto header = Load<RecordHeader>(bytes.data());
  if (header.lsn < first_lsn || header.lsn > last_lsn ||
      header.length < sizeof(RecordHeader) || header.length > bytes.size() ||
      IsMarker(static_cast<RecordType>(header.type)) ||
      !IsPossibleStamp(header) ||
      !CheckBody(header, bytes.data() + sizeof(RecordHeader),
                 header.length - sizeof(RecordHeader))
           .ok()) {
    return false;
  }
  record->view = ViewRecord(bytes.data());
  record->intact = header.crc == RecordCrc(epoch, bytes.data(), header.length);
  return record->intact ||
         (header.flags == 0 && header.reserved == 0 && header.reserved2 == 0);
}

uint64_t EpochOfGroup(const char* block) {
  const auto header = Load<GroupHeader>(block);
  return header.magic == kGroupMagic ? header.epoch : 0;
}

RecordView ViewRecord(const char* record) {
  const auto header = Load<RecordHeader>(record);
  RecordView view;
  view.type = static_cast<RecordType>(header.type);
  view.lsn = header.lsn;
  view.space_id = header.space_id;
  const char* body = record + sizeof(RecordHeader);
  const size_t body_bytes = header.length - sizeof(RecordHeader);
  switch (view.type) {
    case RecordType::kObserve: {
      const auto observe = Load<ObserveBody>(body);
      const char* next = body + sizeof(ObserveBody);
      // Records are aligned to 8 bytes and what stands before the vector is a
      // multiple of 8, so the floats can be used where they are.
      view.vector = absl::MakeConstSpan(reinterpret_cast<const float*>(next),
                                        observe.dimension);
      next += size_t{observe.dimension} * sizeof(float);
      view.id = absl::string_view(next, observe.id_bytes);
      next += observe.id_bytes + size_t{observe.attributes_bytes};
      view.payload = absl::string_view(next, observe.payload_bytes);
      view.timestamp_us = observe.timestamp_us;
      break;
    }
    case RecordType::kRemove:
      view.id = absl::string_view(body + sizeof(RemoveBody),
                                  Load<RemoveBody>(body).id_bytes);
      break;
    case RecordType::kCreateSpace:
      view.description = absl::string_view(body, body_bytes);
      break;
    case RecordType::kSeal:
      view.next_segment = Load<SealBody>(body).next_segment;
      break;
    case RecordType::kDropSpace:
    case RecordType::kIdleMarker:
    case RecordType::kCleanClose:
      break;
  }
  return view;
}

ProducerStamp ViewStamp(const char* record) {
  const auto header = Load<RecordHeader>(record);
  return {header.producer, header.producer_sequence, header.producer_previous};
}

size_t RecordStride(const char* record) {
  return RoundUp(Load<uint32_t>(record), kRecordAlignment);
}

}  // namespace engram::schema
