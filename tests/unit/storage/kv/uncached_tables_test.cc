#include "storage/kv/uncached_tables.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/unique_fd.h"
#include "store_harness.h"

namespace engram::kv {
namespace {

constexpr size_t kLarge = size_t{8} << 20;

// Bytes of the file that the page cache holds.
uint64_t CachedBytes(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const size_t bytes = std::filesystem::file_size(path);
  void* const mapped =
      ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  EXPECT_NE(mapped, MAP_FAILED);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((bytes + page - 1) / page);
  EXPECT_EQ(::mincore(mapped, bytes, pages.data()), 0);
  EXPECT_EQ(::munmap(mapped, bytes), 0);
  return page * static_cast<uint64_t>(std::count_if(
                    pages.begin(), pages.end(),
                    [](unsigned char state) { return (state & 1) != 0; }));
}

// Some file systems take O_DIRECT and fill the page cache all the same.
bool HasDirectIo(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/probe");
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600));
  if (fd.get() < 0) return false;
  AlignedBuffer buffer(size_t{1} << 20);
  std::memset(buffer.data(), 'x', buffer.size());
  EXPECT_EQ(::write(fd.get(), buffer.data(), buffer.size()),
            static_cast<ssize_t>(buffer.size()));
  const bool uncached = CachedBytes(path) == 0;
  std::filesystem::remove(path);
  return uncached;
}

class UncachedTablesTest : public StoreHarness {
 protected:
  void CommitUncached(const Changes& changes) {
    auto ingest = *store_->NewIngest(kFamily);
    ingest->WriteVectorsUncached();
    ASSERT_TRUE(Apply(ingest.get(), changes).ok());
    ASSERT_TRUE(ingest->Commit().ok());
  }

  // Of tables with at least so many bytes.
  uint64_t CachedBytesOfTables(uint64_t bytes_min) {
    uint64_t cached = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (entry.path().extension() == ".sst" &&
          entry.file_size() >= bytes_min) {
        cached += CachedBytes(entry.path().string());
      }
    }
    return cached;
  }
};

TEST_F(UncachedTablesTest, OnlyManyVectorsAreNotInThePageCache) {
  OpenWithFamily();
  if (!HasDirectIo(path())) GTEST_SKIP() << "no O_DIRECT here";
  CommitUncached({{"v/a", std::string(kLarge, 'v')}});
  const uint64_t vectors = CachedBytesOfTables(kLarge);
  EXPECT_LT(vectors, kLarge / 8) << "the tables' ends only";
  // In many blocks: RocksDB reads the first and the last one back.
  Changes links;
  for (int i = 100; i < 180; ++i) {
    links[absl::StrCat("l/", i)] = std::string(kLarge / 80, 'l');
  }
  CommitUncached(links);
  EXPECT_GT(CachedBytesOfTables(kLarge), vectors + kLarge * 9 / 10);
  Commit({{"v/b", std::string(kLarge, 'v')}});
  EXPECT_GT(CachedBytesOfTables(kLarge), vectors + 2 * kLarge * 9 / 10);
}

TEST_F(UncachedTablesTest, ValuesOfAllSizesAreWhatWasPut) {
  OpenWithFamily();
  Changes values;
  int number = 0;
  for (const size_t bytes : {size_t{1}, size_t{4095}, size_t{4096}, kLarge,
                             size_t{100}, kLarge / 2 + 1, size_t{70'000}}) {
    values[absl::StrCat("v/", number)] =
        std::string(bytes, static_cast<char>('a' + number));
    ++number;
  }
  CommitUncached(values);
  for (const bool again : {false, true}) {
    if (again) Open();
    for (const auto& [key, value] : values) {
      EXPECT_EQ(*store_->Get(kFamily, key), *value) << key;
    }
  }
}

// A file system that knows no O_DIRECT.
class NoDirectIo final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "NoDirectIo"; }

  rocksdb::IOStatus NewWritableFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override {
    if (options.use_direct_writes) return rocksdb::IOStatus::IOError("EINVAL");
    return target()->NewWritableFile(path, options, file, debug);
  }
  rocksdb::IOStatus NewRandomAccessFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
      rocksdb::IODebugContext* debug) override {
    if (options.use_direct_reads) return rocksdb::IOStatus::IOError("EINVAL");
    return target()->NewRandomAccessFile(path, options, file, debug);
  }
};

TEST_F(UncachedTablesTest, WithoutDirectIoThePageCacheDoes) {
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(
      std::make_shared<NoDirectIo>(rocksdb::FileSystem::Default()));
  StoreOptions options;
  options.env = env.get();
  store_ = *Store::Open(path(), options);
  ASSERT_TRUE(store_->CreateFamily(kFamily).ok());
  CommitUncached({{"v/a", std::string(kLarge, 'v')}, {"l/a", "links"}});
  EXPECT_EQ(*store_->Get(kFamily, "v/a"), std::string(kLarge, 'v'));
  EXPECT_EQ(*store_->Get(kFamily, "l/a"), "links");
  store_.reset();
}

}  // namespace
}  // namespace engram::kv
