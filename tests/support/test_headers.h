// The large headers that nearly all tests include, for tests/CMakeLists.txt to
// compile once. A test includes by itself what it uses.

#ifndef ENGRAM_TESTS_SUPPORT_TEST_HEADERS_H_
#define ENGRAM_TESTS_SUPPORT_TEST_HEADERS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#endif  // ENGRAM_TESTS_SUPPORT_TEST_HEADERS_H_
