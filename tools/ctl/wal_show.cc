// wal show

#include "tools/ctl/wal_show.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "schema/wal_codec.h"
#include "storage/base/status_macros.h"
#include "storage/wal/reader.h"
#include "tools/ctl/output.h"
#include "tools/ctl/utf8.h"

namespace engram::ctl {
namespace {

// Collects the lines of one segment, which are printed when it is known that
// it was not given a new use meanwhile.
class Printer {
 public:
  Printer(const WalShowArguments& arguments, bool json)
      : arguments_(arguments), json_(json) {}

  void Add(const wal::LocatedGroup& located) {
    if (arguments_.segment != 0 && located.segment != arguments_.segment) {
      return;
    }
    const schema::GroupHeader& header = located.scanned->header;
    bool named = false;
    const char* record =
        located.scanned->group->bytes().data() + sizeof(schema::GroupHeader);
    for (uint32_t i = 0; i < header.record_count; ++i) {
      const schema::RecordView view = schema::ViewRecord(record);
      if (IsWanted(view)) {
        if (json_) {
          AddJson(located, view, record);
        } else {
          if (!named) AddGroup(located);
          named = true;
          AddText(view, record);
        }
      }
      record += schema::RecordStride(record);
    }
  }

  void Clear() { text_.clear(); }

  void Flush() {
    if (status_.ok()) status_ = Print(text_);
    text_.clear();
  }

  const absl::Status& status() const { return status_; }

 private:
  bool IsWanted(const schema::RecordView& record) const {
    if (record.lsn < arguments_.from_lsn || record.lsn > arguments_.to_lsn) {
      return false;
    }
    return arguments_.space == 0 || (!schema::IsMarker(record.type) &&
                                     record.space_id == arguments_.space);
  }

  void AddGroup(const wal::LocatedGroup& located) {
    const schema::GroupHeader& header = located.scanned->header;
    absl::StrAppendFormat(
        &text_,
        "segment %u offset %u: group %u, epoch %016x, durable LSN %u, %u "
        "records, %u bytes\n",
        located.segment, located.offset, header.sequence, header.epoch,
        header.durable_lsn, header.record_count,
        located.scanned->group->bytes().size());
  }

  void AddText(const schema::RecordView& record, const char* raw) {
    absl::StrAppend(&text_, "  LSN ", record.lsn, " ",
                    RecordTypeName(record.type));
    if (!schema::IsMarker(record.type)) {
      absl::StrAppend(&text_, " space ", record.space_id);
    }
    if (!record.id.empty()) {
      absl::StrAppend(&text_, " id ", Printable(record.id));
    }
    if (record.type == schema::RecordType::kObserve) {
      absl::StrAppend(&text_, " dimension ", record.vector.size(), " payload ",
                      BytesText(record.payload.size()));
    }
    if (record.type == schema::RecordType::kSeal) {
      absl::StrAppend(&text_, " next segment ", record.next_segment);
    }
    const schema::ProducerStamp producer = schema::ViewStamp(raw);
    if (producer.producer != 0) {
      absl::StrAppend(&text_, " producer ", producer.producer, " sequence ",
                      producer.sequence);
    }
    text_ += '\n';
  }

  void AddJson(const wal::LocatedGroup& located,
               const schema::RecordView& record, const char* raw) {
    const schema::GroupHeader& header = located.scanned->header;
    const schema::ProducerStamp producer = schema::ViewStamp(raw);
    Json object = NewJsonObject();
    object["segment"] = located.segment;
    object["epoch"] = absl::StrFormat("%016x", header.epoch);
    object["offset"] = located.offset;
    object["group"] = header.sequence;
    object["group_records"] = header.record_count;
    object["group_bytes"] = located.scanned->group->bytes().size();
    object["durable_lsn"] = header.durable_lsn;
    object["lsn"] = record.lsn;
    object["type"] = RecordTypeName(record.type);
    if (!schema::IsMarker(record.type)) {
      object["space_id"] = record.space_id;
      object["producer"] = producer.producer;
      object["producer_sequence"] = producer.sequence;
      object["producer_previous"] = producer.previous;
    }
    if (!record.id.empty()) SetBytes(object, "id", record.id);
    if (record.type == schema::RecordType::kObserve) {
      object["dimension"] = record.vector.size();
      object["payload_bytes"] = record.payload.size();
      object["timestamp_us"] = record.timestamp_us;
    }
    if (record.type == schema::RecordType::kSeal) {
      object["next_segment"] = record.next_segment;
    }
    absl::StrAppend(&text_, JsonLine(object));
  }

  const WalShowArguments arguments_;
  const bool json_;
  std::string text_;
  absl::Status status_;
};

}  // namespace

const char* RecordTypeName(schema::RecordType type) {
  switch (type) {
    case schema::RecordType::kObserve:
      return "observe";
    case schema::RecordType::kRemove:
      return "remove";
    case schema::RecordType::kCreateSpace:
      return "create-space";
    case schema::RecordType::kDropSpace:
      return "drop-space";
    case schema::RecordType::kIdleMarker:
      return "idle";
    case schema::RecordType::kCleanClose:
      return "close";
    case schema::RecordType::kSeal:
      break;
  }
  return "seal";
}

VerbResult WalShow(const Global& global, const WalShowArguments& arguments) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::Directory> directory,
                          OpenLogFolder(global));
  Printer printer(arguments, global.json);
  wal::RecoveryOptions options;
  options.on_restart = [&printer] { printer.Clear(); };
  options.on_group = [&printer](const wal::LocatedGroup& group) {
    printer.Add(group);
  };
  options.on_segment = [&printer](const wal::RecoveredSegment&) {
    printer.Flush();
  };
  absl::StatusOr<wal::RecoveredLog> log =
      wal::ReadLive(directory.get(), std::move(options));
  if (!log.ok()) return OpenError(std::move(log).status());
  ENGRAM_RETURN_IF_ERROR(printer.status());
  if (log->losses.empty()) return ExitCode::kOk;
  return absl::DataLossError(
      absl::StrCat(wal::LossText(log->losses[0], nullptr),
                   log->losses.size() > 1
                       ? absl::StrCat("; and ", log->losses.size() - 1, " more")
                       : ""));
}

}  // namespace engram::ctl
