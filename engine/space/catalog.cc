#include "engine/space/catalog.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "schema/key_layout.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

absl::Status InCatalog(const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("catalog: ", status.message()));
}

// The space id in a catalog entry's key; 0 if it is none.
uint64_t IdInKey(absl::string_view key) {
  key.remove_prefix(schema::kCatalogEntryPrefix.size());
  if (key.size() != sizeof(uint64_t)) return 0;
  uint64_t id = 0;
  for (const char byte : key) id = id << 8 | static_cast<uint8_t>(byte);
  return id;
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
  ENGRAM_RETURN_IF_ERROR(store.Scan(
      kv::kDefaultFamily, schema::kCatalogEntryPrefix,
      [&loaded](absl::string_view key, absl::string_view bytes) {
        absl::StatusOr<schema::CatalogEntry> entry =
            schema::DecodeCatalogEntry(IdInKey(key), bytes);
        if (!entry.ok()) return InCatalog(entry.status());
        if (entry->space.id >= loaded.catalog.next_space_id) {
          return absl::DataLossError(absl::StrCat(
              "catalog: space ", entry->space.id, ", the next one would be ",
              loaded.catalog.next_space_id));
        }
        loaded.entries.push_back(*std::move(entry));
        return absl::OkStatus();
      }));
  return loaded;
}

absl::Status SaveCatalog(kv::Store* store, const schema::Catalog& catalog,
                         absl::Span<const schema::CatalogEntry> entries,
                         absl::Span<const uint64_t> erased_ids) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<kv::Ingest> ingest,
                          store->NewIngest(kv::kDefaultFamily));
  ENGRAM_RETURN_IF_ERROR(
      ingest->Put(schema::kCatalogKey, schema::EncodeCatalog(catalog)));
  // In ascending order; null erases.
  std::map<uint64_t, const schema::CatalogEntry*> changes;
  for (const uint64_t id : erased_ids) changes[id] = nullptr;
  for (const schema::CatalogEntry& entry : entries) {
    changes[entry.space.id] = &entry;
  }
  for (const auto& [id, entry] : changes) {
    const std::string key = schema::CatalogEntryKey(id);
    ENGRAM_RETURN_IF_ERROR(
        entry == nullptr
            ? ingest->Delete(key)
            : ingest->Put(key, schema::EncodeCatalogEntry(*entry)));
  }
  return ingest->Commit();
}

}  // namespace engram::space
