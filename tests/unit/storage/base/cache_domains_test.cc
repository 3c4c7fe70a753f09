#include "storage/base/cache_domains.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace engram {
namespace {

using ::testing::IsEmpty;

class CacheDomainsTest : public ::testing::Test {
 protected:
  // What the system would say of a cache of a processor.
  void Share(long cpu, int cache, const std::string& list) {
    const std::string folder =
        directory_.PathOf(absl::StrCat("cpu", cpu, "/cache/index", cache));
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/shared_cpu_list") << list << "\n";
  }

  std::vector<size_t> Domains() const {
    return CacheDomains(directory_.PathOf(""));
  }

  const testing::TemporaryDirectory directory_;
  const long count_ = ::sysconf(_SC_NPROCESSORS_CONF);
};

TEST_F(CacheDomainsTest, AProcessorIsWithThoseThatShareItsLastCache) {
  if (count_ < 2) GTEST_SKIP() << "one processor shares with nobody";
  for (long cpu = 0; cpu < count_; ++cpu) {
    Share(cpu, 0, absl::StrCat(cpu));
    Share(cpu, 1, cpu == 0 ? "0" : absl::StrCat("1-", count_ - 1, ",64-72"));
  }
  const std::vector<size_t> domains = Domains();
  ASSERT_EQ(domains.size(), static_cast<size_t>(count_));
  EXPECT_EQ(domains[0], 0u);
  for (size_t cpu = 1; cpu < domains.size(); ++cpu) {
    EXPECT_EQ(domains[cpu], 1u) << cpu;
  }
}

TEST_F(CacheDomainsTest, OneCacheForAllIsNoDomains) {
  for (long cpu = 0; cpu < count_; ++cpu) {
    Share(cpu, 0, absl::StrCat(cpu));
    Share(cpu, 1, absl::StrCat("0-", count_));
  }
  EXPECT_THAT(Domains(), IsEmpty());
}

TEST_F(CacheDomainsTest, WhereTheSystemSaysNothingThereAreNone) {
  EXPECT_THAT(Domains(), IsEmpty());
  Share(0, 0, "no number");
  EXPECT_THAT(Domains(), IsEmpty());
}

TEST_F(CacheDomainsTest, AThreadIsInTheDomainOfItsProcessor) {
  const std::vector<size_t> domains(static_cast<size_t>(count_), 7);
  EXPECT_EQ(CurrentCacheDomain(domains), 7u);
  EXPECT_EQ(CurrentCacheDomain({}), 0u);
}

}  // namespace
}  // namespace engram
