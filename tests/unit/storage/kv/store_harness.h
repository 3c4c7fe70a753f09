// A store in a folder of its own, for the tests of storage/kv.

#ifndef ENGRAM_TESTS_UNIT_STORAGE_KV_STORE_HARNESS_H_
#define ENGRAM_TESTS_UNIT_STORAGE_KV_STORE_HARNESS_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "storage/kv/store.h"
#include "tests/support/temporary_directory.h"

namespace engram::kv {

// What becomes of keys; nothing means that the key is deleted.
using Changes = std::map<std::string, std::optional<std::string>>;

class StoreHarness : public ::testing::Test {
 protected:
  // Closes the store if it is open, and opens it.
  void Open(bool read_only = false) {
    store_.reset();
    auto store = Store::Open(path(), {read_only});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  // A new store with one family.
  void OpenWithFamily() {
    Open();
    ASSERT_TRUE(store_->CreateFamily(kFamily).ok());
  }

  static absl::Status Apply(Ingest* ingest, const Changes& changes) {
    for (const auto& [key, value] : changes) {
      const absl::Status status =
          value.has_value() ? ingest->Put(key, *value) : ingest->Delete(key);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  void Commit(const Changes& changes, const std::string& family = kFamily) {
    auto ingest = store_->NewIngest(family);
    ASSERT_TRUE(ingest.ok()) << ingest.status();
    ASSERT_TRUE(Apply(ingest->get(), changes).ok());
    const absl::Status status = (*ingest)->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }

  // Everything that starts with `prefix`.
  std::map<std::string, std::string> Contents(
      const std::string& prefix = "", const std::string& family = kFamily) {
    std::map<std::string, std::string> contents;
    const absl::Status status = store_->Scan(
        family, prefix, [&](absl::string_view key, absl::string_view value) {
          contents[std::string(key)] = std::string(value);
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return contents;
  }

  std::string path() const { return directory_.PathOf("kv"); }

  static inline const std::string kFamily = "p000001";

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

}  // namespace engram::kv

#endif  // ENGRAM_TESTS_UNIT_STORAGE_KV_STORE_HARNESS_H_
