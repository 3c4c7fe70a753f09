#include "engine/space/catalog.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/key_layout.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

absl::Status InCatalog(const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("catalog: ", status.message()));
}

absl::Status LoadEntries(const kv::Store& store, LoadedCatalog* loaded) {
  return store.Scan(
      kv::kDefaultFamily, schema::kCatalogEntryPrefix,
      [loaded](absl::string_view key, absl::string_view bytes) {
        const uint64_t id =
            schema::NumberInKey(schema::kCatalogEntryPrefix, key);
        absl::StatusOr<schema::CatalogEntry> entry =
            schema::DecodeCatalogEntry(id, bytes);
        if (!entry.ok()) return InCatalog(entry.status());
        if (entry->space.id >= loaded->catalog.next_space_id) {
          return absl::DataLossError(absl::StrCat(
              "catalog: space ", entry->space.id, ", the next one would be ",
              loaded->catalog.next_space_id));
        }
        loaded->entries.push_back(*std::move(entry));
        return absl::OkStatus();
      });
}

absl::Status LoadProducers(const kv::Store& store, LoadedCatalog* loaded) {
  return store.Scan(
      kv::kDefaultFamily, schema::kProducerPrefix,
      [loaded](absl::string_view key, absl::string_view bytes) {
        const uint64_t id = schema::NumberInKey(schema::kProducerPrefix, key);
        const absl::StatusOr<schema::ProducerState> producer =
            schema::DecodeProducer(id, bytes);
        if (!producer.ok()) return InCatalog(producer.status());
        if (producer->lsn > loaded->catalog.catalog_lsn) {
          return absl::DataLossError(absl::StrCat(
              "catalog: producer ", id, " wrote LSN ", producer->lsn,
              ", the catalog ends at ", loaded->catalog.catalog_lsn));
        }
        loaded->producers.push_back(*producer);
        return absl::OkStatus();
      });
}

}  // namespace

absl::StatusOr<LoadedCatalog> LoadCatalog(const kv::Store& store) {
  LoadedCatalog loaded;
  const absl::StatusOr<std::string> value =
      store.Get(kv::kDefaultFamily, schema::kCatalogKey);
  if (absl::IsNotFound(value.status())) return loaded;
  if (!value.ok()) return InCatalog(value.status());
  absl::StatusOr<schema::Catalog> catalog = schema::DecodeCatalog(*value);
  if (!catalog.ok()) return InCatalog(catalog.status());
  loaded.exists = true;
  loaded.catalog = *catalog;
  ENGRAM_RETURN_IF_ERROR(LoadEntries(store, &loaded));
  ENGRAM_RETURN_IF_ERROR(LoadProducers(store, &loaded));
  return loaded;
}

absl::Status SaveCatalog(kv::Store* store, const schema::Catalog& catalog,
                         const CatalogChanges& changes) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<kv::Ingest> ingest,
                          store->NewIngest(kv::kDefaultFamily));
  // In ascending order; none erases.
  std::map<std::string, std::optional<std::string>> values;
  values[std::string(schema::kCatalogKey)] = schema::EncodeCatalog(catalog);
  for (const uint64_t id : changes.erased_ids) {
    values[schema::CatalogEntryKey(id)] = std::nullopt;
  }
  for (const schema::CatalogEntry& entry : changes.entries) {
    values[schema::CatalogEntryKey(entry.space.id)] =
        schema::EncodeCatalogEntry(entry);
  }
  for (const schema::ProducerState& producer : changes.producers) {
    values[schema::ProducerKey(producer.producer)] =
        schema::EncodeProducer(producer);
  }
  for (const auto& [key, value] : values) {
    ENGRAM_RETURN_IF_ERROR(value.has_value() ? ingest->Put(key, *value)
                                             : ingest->Delete(key));
  }
  return ingest->Commit();
}

}  // namespace engram::space
