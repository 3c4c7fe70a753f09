#include "tools/ctl/loader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/base/status_macros.h"
#include "tools/ctl/exit_code.h"
#include "tools/ctl/interrupt.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"

namespace engram::ctl {
namespace {

// Half of what a WriteBatch may hold: one more observation always fits.
constexpr size_t kBatchBytesMax = kWriteBatchBytesMax / 2;

// A slow disk is waited for; the default of 10 s suits interactive writers.
constexpr absl::Duration kAdmissionTimeout = absl::Minutes(1);

// How long a wait goes on before ^C is looked at.
constexpr absl::Duration kWaitSlice = absl::Milliseconds(200);

size_t BytesOf(const Record& record) {
  return record.id.size() + record.vector.size() * sizeof(float) +
         record.payload.size() + 64;
}

Metric MetricOf(const std::string& name) {
  if (name == "cosine") return Metric::kCosine;
  if (name == "ip") return Metric::kInnerProduct;
  return Metric::kL2;
}

Quantization QuantizationOf(const std::string& name) {
  for (const Quantization quantization :
       {Quantization::kNone, Quantization::kInt8, Quantization::kInt4,
        Quantization::kInt2}) {
    if (QuantizationName(quantization) == name) return quantization;
  }
  return Quantization::kAuto;
}

Stored StoredOf(const std::string& name) {
  return name == StoredName(Stored::kNone) ? Stored::kNone : Stored::kF32;
}

// Puts what the command line says over `options`.
SpaceOptions Overlay(SpaceOptions options, const LoadArguments& arguments) {
  if (arguments.dimension != 0) options.dimension = arguments.dimension;
  if (!arguments.metric.empty()) options.metric = MetricOf(arguments.metric);
  if (arguments.M != 0) options.M = arguments.M;
  if (arguments.ef_construction != 0) {
    options.ef_construction = arguments.ef_construction;
  }
  if (!arguments.quantization.empty()) {
    options.quantization = QuantizationOf(arguments.quantization);
  }
  if (!arguments.stored.empty()) options.stored = StoredOf(arguments.stored);
  return options;
}

}  // namespace

Loader::Loader(Db& db, const LoadArguments& arguments, const Clock& clock)
    : db_(db), arguments_(arguments), clock_(clock) {}

absl::Status Loader::Run(LoadSource& source) {
  const int64_t start_us = clock_.MonotonicMicros();
  ENGRAM_RETURN_IF_ERROR(FindTarget(source));
  uint64_t total = source.count();
  if (arguments_.limit != 0) total = std::min(total, arguments_.limit);
  absl::Status status;
  {
    Progress progress("loaded", total, clock_);
    status = ReadAndWrite(source, progress);
  }
  acknowledged_seconds_ = SecondsSince(start_us);
  if (!status.ok()) {
    return WithExitCode(
        absl::Status(status.code(),
                     absl::StrCat(status.message(), " (", written_,
                                  " observations were written before)")),
        ExitCodeOf(status));
  }
  if (!space_.has_value() && dimension_ != 0) {
    ENGRAM_RETURN_IF_ERROR(CreateTarget());
  }
  ENGRAM_RETURN_IF_ERROR(WaitUntilIndexed());
  indexed_seconds_ = SecondsSince(start_us);
  return absl::OkStatus();
}

absl::Status Loader::FindTarget(const LoadSource& source) {
  dimension_ =
      source.dimension() != 0 ? source.dimension() : arguments_.dimension;
  absl::StatusOr<Space> found = FindSpace(db_, arguments_.space);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  const SpaceOptions wanted = Overlay(found->options(), arguments_);
  ENGRAM_RETURN_IF_ERROR(db_.OpenSpace(arguments_.space, wanted).status());
  if (source.dimension() != 0 && source.dimension() != wanted.dimension) {
    return absl::InvalidArgumentError(
        absl::StrCat(arguments_.file, ": vectors have ", source.dimension(),
                     " components, the dimension of space \"", arguments_.space,
                     "\" is ", wanted.dimension));
  }
  dimension_ = wanted.dimension;
  space_ = std::move(found).value();
  return absl::OkStatus();
}

absl::Status Loader::CreateTarget() {
  SpaceOptions options = Overlay(SpaceOptions(), arguments_);
  options.dimension = dimension_;
  ENGRAM_ASSIGN_OR_RETURN(space_, db_.OpenSpace(arguments_.space, options));
  return absl::OkStatus();
}

absl::Status Loader::CheckRecord(const Record& record,
                                 const LoadSource& source) {
  if (dimension_ == 0) dimension_ = static_cast<uint32_t>(record.vector.size());
  if (record.vector.size() != dimension_ || dimension_ == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.Place(), ": vector has ", record.vector.size(),
                     " components, dimension is ", dimension_));
  }
  for (size_t i = 0; i < record.vector.size(); ++i) {
    if (std::isfinite(record.vector[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(source.Place(), ": component ", i, " is ",
                     record.vector[i], ", which is not finite"));
  }
  if (record.id.empty() || record.id.size() > kIdBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.Place(), ": id has ", record.id.size(),
                     " bytes, must have 1..", kIdBytesMax));
  }
  if (record.payload.size() > kPayloadBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.Place(), ": payload has ", record.payload.size(),
                     " bytes, limit is ", kPayloadBytesMax));
  }
  return absl::OkStatus();
}

absl::Status Loader::ReadAndWrite(LoadSource& source, Progress& progress) {
  std::vector<Record> records;
  size_t bytes = 0;
  std::string first_place;
  const auto flush = [&]() -> absl::Status {
    const absl::Status status = WriteBatchOf(records);
    if (!status.ok()) {
      return absl::Status(
          status.code(), absl::StrCat(first_place, " to ", source.Place(), ": ",
                                      status.message()));
    }
    records.clear();
    bytes = 0;
    progress.Update(written_);
    return absl::OkStatus();
  };
  uint64_t read = 0;
  while (!Interrupted() && (arguments_.limit == 0 || read < arguments_.limit)) {
    Record record;
    const absl::StatusOr<bool> more = source.Next(&record);
    if (absl::IsCancelled(more.status())) break;
    if (!more.ok()) return more.status();
    if (!*more) break;
    ENGRAM_RETURN_IF_ERROR(CheckRecord(record, source));
    ++read;
    if (records.empty()) first_place = source.Place();
    bytes += BytesOf(record);
    records.push_back(std::move(record));
    if (records.size() >= arguments_.batch_records || bytes >= kBatchBytesMax) {
      ENGRAM_RETURN_IF_ERROR(flush());
    }
  }
  return records.empty() ? absl::OkStatus() : flush();
}

absl::Status Loader::WriteBatchOf(const std::vector<Record>& records) {
  if (!space_.has_value()) ENGRAM_RETURN_IF_ERROR(CreateTarget());
  WriteBatch batch;
  for (const Record& record : records) {
    batch.Observe(*space_, {record.id, record.vector, record.payload,
                            record.timestamp_us});
  }
  WriteOptions options;
  options.admission_timeout = kAdmissionTimeout;
  ENGRAM_ASSIGN_OR_RETURN(last_lsn_, db_.Write(batch, options));
  written_ += records.size();
  return absl::OkStatus();
}

absl::Status Loader::WaitUntilIndexed() {
  if (written_ == 0) return absl::OkStatus();
  Progress progress("indexed", written_, clock_);
  while (true) {
    const absl::Status status =
        space_->Wait(last_lsn_, Stage::kIndexed, kWaitSlice);
    if (!absl::IsDeadlineExceeded(status)) return status;
    if (Interrupted()) return absl::OkStatus();
    ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, space_->GetStats());
    progress.Update(written_ - std::min(written_, stats.pending_records));
  }
}

double Loader::SecondsSince(int64_t start_us) const {
  return static_cast<double>(clock_.MonotonicMicros() - start_us) / 1e6;
}

}  // namespace engram::ctl
