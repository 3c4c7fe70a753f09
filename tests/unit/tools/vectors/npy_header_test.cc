#include "tools/vectors/npy_header.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

constexpr char kWritten[] =
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }      \n";

TEST(NpyHeaderTest, ReadsWhatNumPyWrites) {
  const auto header = ParseNpyHeader(kWritten);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->descr, "<f4");
  EXPECT_FALSE(header->fortran_order);
  EXPECT_EQ(header->shape, (std::vector<uint64_t>{3, 2}));
}

TEST(NpyHeaderTest, ReadsAnyOrderAndQuotes) {
  const auto header = ParseNpyHeader(
      "{\"shape\":(18446744073709551615,),\"fortran_order\":True,"
      "\"descr\":\"|u1\"}");
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->descr, "|u1");
  EXPECT_TRUE(header->fortran_order);
  EXPECT_EQ(header->shape, (std::vector<uint64_t>{~uint64_t{0}}));
}

TEST(NpyHeaderTest, ReadsAnEmptyShape) {
  const auto header =
      ParseNpyHeader("{'descr':'<f4','fortran_order':False,'shape':()}");
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_TRUE(header->shape.empty());
}

TEST(NpyHeaderTest, RefusesEveryPrefix) {
  const std::string text(kWritten);
  const size_t end = text.find('}');
  for (size_t bytes = 0; bytes <= end; ++bytes) {
    EXPECT_EQ(ParseNpyHeader(text.substr(0, bytes)).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bytes;
  }
}

TEST(NpyHeaderTest, NeverCrashesOnAChangedByte) {
  const std::string text(kWritten);
  for (size_t i = 0; i < text.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = text;
      changed[i] = static_cast<char>(value);
      ParseNpyHeader(changed).IgnoreError();
    }
  }
}

TEST(NpyHeaderTest, RefusesWhatIsMalformed) {
  std::string long_shape = "{'shape':(1";
  for (int i = 0; i < 100; ++i) long_shape += ",1";
  const std::string texts[] = {
      "{'descr':'<f4','fortran_order':False}",
      "{'descr':'<f4','descr':'<f4','fortran_order':False,'shape':(1,1)}",
      "{'descr':'<f4','fortran_order':False,'shape':(1,1),'x':'y'}",
      "{'descr':[('a','<f4')],'fortran_order':False,'shape':(1,1)}",
      "{'descr':'<f4','fortran_order':0,'shape':(1,1)}",
      "{'descr':'<f4','fortran_order':False,'shape':(-1,1)}",
      "{'descr':'<f4','fortran_order':False,'shape':(1.0,1)}",
      "{'descr':'<f4','fortran_order':False,'shape':(18446744073709551616,1)}",
      "{'descr':'<f4','fortran_order':False,'shape':(,)}",
      "{'descr':'<f4','fortran_order':False,'shape':(1,1)} x",
      "{'descr':'<f4' 'fortran_order':False,'shape':(1,1)}",
      long_shape + ")}",
  };
  for (const std::string& text : texts) {
    EXPECT_EQ(ParseNpyHeader(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

}  // namespace
}  // namespace engram
