// The catalog in RocksDB: the checkpoint of which spaces there are. The log is
// the truth; the catalog spares reading all of it.

#ifndef ENGRAM_ENGINE_SPACE_CATALOG_H_
#define ENGRAM_ENGINE_SPACE_CATALOG_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "schema/space_codec.h"
#include "storage/kv/store.h"

namespace engram::space {

struct LoadedCatalog {
  bool exists = false;
  schema::Catalog catalog;
  std::vector<schema::CatalogEntry> entries;  // by space id
};

// A store without a catalog is that of a new database.
absl::StatusOr<LoadedCatalog> LoadCatalog(const kv::Store& store);

// Replaces the catalog and the given entries, and erases others, in one step.
absl::Status SaveCatalog(kv::Store* store, const schema::Catalog& catalog,
                         absl::Span<const schema::CatalogEntry> entries,
                         absl::Span<const uint64_t> erased_ids);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_CATALOG_H_
