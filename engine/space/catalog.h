// The catalog in RocksDB: the checkpoint of which spaces there are, and of how
// far producers have come. The log is the truth; the catalog spares reading all
// of it.

#ifndef ENGRAM_ENGINE_SPACE_CATALOG_H_
#define ENGRAM_ENGINE_SPACE_CATALOG_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "schema/producer_codec.h"
#include "schema/space_codec.h"
#include "storage/kv/store.h"

namespace engram::space {

struct LoadedCatalog {
  bool exists = false;
  schema::Catalog catalog;
  std::vector<schema::CatalogEntry> entries;  // by space id
  std::vector<schema::ProducerState> producers;
};

struct CatalogChanges {
  std::vector<schema::CatalogEntry> entries;
  std::vector<uint64_t> erased_ids;  // of spaces
  std::vector<schema::ProducerState> producers;
};

// A store without a catalog is that of a new database.
absl::StatusOr<LoadedCatalog> LoadCatalog(const kv::Store& store);

// Replaces the catalog and what has changed, in one step. A space that is both
// erased and among the entries stays.
absl::Status SaveCatalog(kv::Store* store, const schema::Catalog& catalog,
                         const CatalogChanges& changes);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_CATALOG_H_
