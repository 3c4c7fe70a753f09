#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "schema/envelope.h"
#include "schema/export_codec.h"
#include "schema/part_codec.h"
#include "schema/producer_codec.h"
#include "schema/space_codec.h"
#include "schema/wal_codec.h"
#include "storage/wal/group.h"
#include "tests/fuzz/entries.h"

namespace engram::fuzz {
namespace {

constexpr uint64_t kSpace = 5;
constexpr uint64_t kGeneration = 3;
constexpr uint32_t kLetterDimension = 4;
const float kRows[2][2] = {{1, 2}, {3, 4}};

schema::SpaceDescription Space() {
  return {kSpace,
          "space",
          2,
          schema::Metric::kCosine,
          16,
          100,
          42,
          schema::Quantization::kInt8,
          schema::Stored::kNone};
}

// The value alone to be wrapped again, and as it is.
std::vector<std::string> BothWays(const std::string& options,
                                  const std::string& value) {
  return {std::string(1, '\1') + options + value.substr(schema::kEnvelopeBytes),
          std::string(1, '\0') + options + value};
}

std::vector<std::string> VectorPartSeeds() {
  const std::vector<schema::VectorRow> rows = {{11, "a", kRows[0]},
                                               {12, "bc", kRows[1]}};
  return BothWays("\x0a\x02\x02",
                  schema::EncodeVectorPart(kSpace, kGeneration, 10, rows));
}

std::vector<std::string> LinkPartSeeds() {
  std::vector<schema::NodeLinks> nodes = {{10, false, {{11, 12, 200}, {11}}},
                                          {11, true, {}},
                                          {12, false, {{10}}},
                                          {13, true, {{10, 12}}},
                                          {14, false, {}, 12},
                                          {15, false, {}, 299}};
  return BothWays(
      "\x0a\x06\x04",
      schema::EncodeLinkPart(kSpace, kGeneration, absl::MakeSpan(nodes)));
}

std::vector<std::string> HeadSeeds() {
  schema::Head head;
  head.generation = kGeneration;
  head.checkpoint_lsn = 20;
  head.space = Space();
  head.slot_count = 10;
  head.live_count = 9;
  head.has_graph = true;
  head.vector_parts = {{1, 0, 0, 6, 1}, {3, 1, 6, 4, 2}};
  head.link_parts = {{3, 0, 0, 10, 3}};
  std::vector<std::string> seeds = BothWays("\1\1\1", schema::EncodeHead(head));
  head.centre = {0.5f, -1};
  for (const std::string& seed : BothWays("\1\1\1", schema::EncodeHead(head))) {
    seeds.push_back(seed);
  }
  return seeds;
}

std::vector<std::string> CatalogSeeds() {
  std::vector<std::string> seeds =
      BothWays("\1\1\1", schema::EncodeCatalog({30, 20, 8, 65}));
  for (const std::string& seed :
       BothWays("\1\1\1",
                schema::EncodeCatalogEntry({Space(), 9, "p000012", false}))) {
    seeds.push_back(seed);
  }
  for (const std::string& seed :
       BothWays("\1\1\1", schema::EncodeProducer({kSpace, 5, 9}))) {
    seeds.push_back(seed);
  }
  seeds.push_back("\1\1\1\1" + schema::EncodeSpaceDescription(Space()));
  return seeds;
}

std::vector<std::string> RecordSeeds() {
  std::vector<std::string> seeds = BothWays(
      "\1\1\1",
      schema::EncodeRecordValue(kSpace, kGeneration, 1, -1, "payload"));
  const std::vector<float> vector(kLetterDimension, 0.5f);
  for (const std::string& seed :
       BothWays("\1\1\1",
                schema::EncodeDeadLetter(
                    kSpace, {kGeneration, -1, "id", vector, "payload",
                             absl::StatusCode::kResourceExhausted, "why"}))) {
    seeds.push_back(seed);
  }
  return seeds;
}

void AppendGroup(const std::vector<schema::RecordDraft>& drafts, Lsn first_lsn,
                 uint64_t sequence, std::string* out) {
  wal::Group group(0);
  Lsn lsn = first_lsn;
  for (const schema::RecordDraft& draft : drafts) {
    group.Add(draft, schema::IsMarker(draft.type) ? lsn - 1 : lsn);
    ++lsn;
  }
  if (group.first_lsn() == 0) group.set_first_lsn(first_lsn);
  group.Seal(7, sequence, first_lsn - 1);
  out->append(group.bytes().data(), kWalChunkBytes);
}

std::vector<std::string> WalSegmentSeeds() {
  schema::SegmentHeader header = {};
  header.epoch = 7;
  header.first_lsn = 1;
  std::string body(reinterpret_cast<const char*>(&header), sizeof(header));
  schema::RecordDraft observe;
  observe.space_id = 1;
  observe.id = "id";
  observe.vector = kRows[0];
  observe.payload = "p";
  schema::RecordDraft remove;
  remove.type = schema::RecordType::kRemove;
  remove.id = "id";
  schema::RecordDraft create;
  create.type = schema::RecordType::kCreateSpace;
  create.description = "d";
  schema::RecordDraft idle;
  idle.type = schema::RecordType::kIdleMarker;
  AppendGroup({create}, 1, 0, &body);
  AppendGroup({observe, remove}, 2, 1, &body);
  AppendGroup({idle}, 4, 2, &body);
  AppendGroup({observe}, 4, 3, &body);
  std::string seal = body;
  schema::RecordDraft sealed;
  sealed.type = schema::RecordType::kSeal;
  sealed.next_segment = 2;
  AppendGroup({sealed}, 5, 4, &seal);
  const auto with = [](unsigned flags, const char* options,
                       const std::string& rest) {
    return std::string(1, static_cast<char>(flags)) + std::string(options, 4) +
           rest;
  };
  std::string damaged = body;
  damaged[sizeof(header) + kWalChunkBytes + 100] ^= 1;
  return {with(kFixChecksums | kFixOrder, "\0\0\0\0", body),
          with(kSalvage | kFixChecksums, "\0\0\0\0", body),
          with(kSalvage | kFixChecksums | kSecondSegment, "\0\0\4\6", body),
          with(kSalvage | kFixChecksums | kTruncated, "\0\7\0\0", seal),
          with(kSalvage, "\0\4\0\0", damaged),
          with(kSalvage | kLive | kFixChecksums, "\0\0\0\0", body),
          with(kFixChecksums, "\0\4\0\0", body),
          with(kFixChecksums, "\2\0\0\0", body),
          with(kFixChecksums | kSecondSegment, "\0\0\4\6", body),
          with(kFixChecksums | kSecondSegment, "\4\4\4\6", seal),
          with(kFixChecksums, "\0\0\0\0", seal),
          with(0, "\0\0\0\0", body)};
}

std::vector<std::string> ExportSeeds() {
  using schema::ExportKind;
  std::string observations;
  schema::AppendExportObservation({"a", kRows[0], "text", -5, 7},
                                  &observations);
  schema::AppendExportObservation({"b", kRows[1], "", 0, 8}, &observations);
  std::string removals;
  schema::AppendExportRemoval("a", &removals);
  const std::string start =
      schema::EncodeExportPrologue() +
      schema::EncodeExportFrame(ExportKind::kSpace, 0,
                                schema::EncodeExportSpace({{1}}, Space()));
  const std::string filled =
      start +
      schema::EncodeExportFrame(ExportKind::kObservations, 1, observations) +
      schema::EncodeExportFrame(ExportKind::kRemovals, 2, removals) +
      schema::EncodeExportFrame(ExportKind::kTrailer, 3,
                                schema::EncodeExportTrailer({9, 2, 1, 1}));
  const std::string empty =
      start +
      schema::EncodeExportFrame(ExportKind::kTrailer, 1,
                                schema::EncodeExportTrailer({9, 0, 0, 0}));
  std::vector<std::string> seeds;
  for (const char flags : {char{0}, static_cast<char>(kFixChecksums)}) {
    for (const std::string& file : {filled, empty}) {
      seeds.push_back(std::string(1, flags) + file);
    }
  }
  return seeds;
}

}  // namespace

const std::vector<Entry>& AllEntries() {
  static const auto* const entries =
      std::make_unique<std::vector<Entry>>(
          std::vector<Entry>{{"WalSegment", WalSegment, WalSegmentSeeds},
                             {"VectorPart", VectorPart, VectorPartSeeds},
                             {"LinkPart", LinkPart, LinkPartSeeds},
                             {"Head", Head, HeadSeeds},
                             {"Catalog", Catalog, CatalogSeeds},
                             {"Record", Record, RecordSeeds},
                             {"Export", Export, ExportSeeds}})
          .release();
  return *entries;
}

}  // namespace engram::fuzz
