#include "engine/space/tail.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::space {
namespace {

using ::testing::ElementsAre;

// A tail whose entries are numbered by their LSNs, from 1.
class TailTest : public ::testing::Test {
 protected:
  void Append(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const TailPlace place = places_.Next(layout_);
      place.entry().record.lsn = ++last_;
      tail_.Append(place);
    }
  }

  static std::vector<Lsn> Lsns(const TailPin& pin) {
    std::vector<Lsn> lsns;
    for (const TailEntry* entry : pin.Entries()) {
      lsns.push_back(entry->record.lsn);
    }
    return lsns;
  }

  // `count` numbers from `first`.
  static std::vector<Lsn> Range(Lsn first, size_t count) {
    std::vector<Lsn> lsns;
    for (size_t i = 0; i < count; ++i) lsns.push_back(first + i);
    return lsns;
  }

  Tail tail_;
  TailPlaces places_;
  const index::CodeLayout* layout_ = nullptr;
  Lsn last_ = 0;
};

TEST_F(TailTest, AnEmptyTailHasNoFrontAndPinsNothing) {
  EXPECT_EQ(tail_.front(), nullptr);
  EXPECT_EQ(tail_.count(), 0u);
  EXPECT_EQ(tail_.Pin(10).count(), 0u);
  EXPECT_TRUE(tail_.Pin(10).Entries().empty());
  EXPECT_TRUE(TailPin().Entries().empty());
}

TEST_F(TailTest, KeepsTheOrderAndTakesFromTheFront) {
  Append(5);
  EXPECT_EQ(tail_.count(), 5u);
  EXPECT_EQ(tail_.front()->record.lsn, 1u);
  tail_.PopFront(2);
  EXPECT_EQ(tail_.front()->record.lsn, 3u);
  EXPECT_THAT(Lsns(tail_.Pin(2)), ElementsAre(3, 4));
  EXPECT_THAT(Lsns(tail_.Pin(100)), ElementsAre(3, 4, 5));
}

TEST_F(TailTest, APinKeepsItsEntriesAcrossPopsAndAppends) {
  Append(150);
  const TailPin pin = tail_.Pin(tail_.count());
  const std::vector<TailEntry*> before = pin.Entries();
  tail_.PopFront(150);
  EXPECT_EQ(tail_.count(), 0u);
  Append(300);
  EXPECT_EQ(Lsns(pin), Range(1, 150));
  EXPECT_EQ(pin.Entries(), before) << "the entries have moved";
  EXPECT_EQ(Lsns(tail_.Pin(1000)), Range(151, 300));
}

TEST_F(TailTest, APinDoesNotSeeWhatIsAppendedLater) {
  Append(3);
  const TailPin pin = tail_.Pin(tail_.count());
  Append(200);
  EXPECT_THAT(Lsns(pin), ElementsAre(1, 2, 3));
}

TEST_F(TailTest, ChunkBoundariesAreSeamless) {
  for (const size_t count : {kTailChunkEntries - 1, kTailChunkEntries,
                             kTailChunkEntries + 1, 3 * kTailChunkEntries}) {
    for (const size_t popped :
         {size_t{0}, size_t{1}, kTailChunkEntries - 1, kTailChunkEntries,
          kTailChunkEntries + 1, 2 * kTailChunkEntries}) {
      if (popped > count) continue;
      SCOPED_TRACE(::testing::Message() << count << ", popped " << popped);
      tail_ = Tail();
      last_ = 0;
      Append(count);
      tail_.PopFront(popped);
      EXPECT_EQ(tail_.count(), count - popped);
      EXPECT_EQ(Lsns(tail_.Pin(1000)), Range(popped + 1, count - popped));
      Append(2);
      EXPECT_EQ(Lsns(tail_.Pin(1000)), Range(popped + 1, count - popped + 2));
      EXPECT_EQ(tail_.front()->record.lsn, popped + 1);
    }
  }
}

TEST_F(TailTest, AppendedAndPoppedForLongItStaysInOrder) {
  Lsn front = 1;
  for (int round = 0; round < 400; ++round) {
    Append(static_cast<size_t>(round % 7) * 30 + 1);
    const size_t pop = tail_.count() * static_cast<size_t>(round % 4) / 3;
    tail_.PopFront(pop);
    front += pop;
    ASSERT_EQ(Lsns(tail_.Pin(tail_.count())), Range(front, tail_.count()));
  }
}

TEST_F(TailTest, WhatIsPoppedAndNotPinnedIsFreed) {
  auto group = std::make_shared<const wal::Group>(0);
  for (int i = 0; i < 200; ++i) {
    const TailPlace place = places_.Next(nullptr);
    place.entry().record.lsn = ++last_;
    place.entry().group = group;
    tail_.Append(place);
  }
  EXPECT_EQ(group.use_count(), 201);
  TailPin pin = tail_.Pin(1);
  tail_.PopFront(190);
  EXPECT_EQ(group.use_count(), 1 + 200 - 64) << "only the first is pinned";
  pin = TailPin();
  EXPECT_EQ(group.use_count(), 1 + 200 - 2 * 64) << "two chunks are gone";
  tail_.PopFront(10);
  EXPECT_EQ(group.use_count(), 1);
}

TEST_F(TailTest, AChunkThatIsStillPinnedIsFilledOn) {
  Append(3);
  const TailPin pin = tail_.Pin(3);
  tail_.PopFront(3);
  EXPECT_EQ(tail_.front(), nullptr);
  Append(2);
  EXPECT_EQ(tail_.front()->record.lsn, 4u);
  EXPECT_THAT(Lsns(tail_.Pin(100)), ElementsAre(4, 5));
  EXPECT_EQ(tail_.front(), pin.Entries().back() + 1);
  EXPECT_THAT(Lsns(pin), ElementsAre(1, 2, 3));
  tail_.PopFront(1);
  Append(100);
  EXPECT_EQ(Lsns(tail_.Pin(1000)), Range(5, 101));
}

TEST_F(TailTest, AnIdleTailHoldsNoChunk) {
  const TailPlace place = places_.Next(nullptr);
  const std::weak_ptr<TailChunk> chunk = place.chunk;
  tail_.Append(place);
  EXPECT_FALSE(chunk.expired());
  tail_.PopFront(1);
  EXPECT_FALSE(chunk.expired()) << "the place keeps it";
  Append(1);
  tail_.PopFront(1);
  EXPECT_EQ(chunk.use_count(), 1);
}

TEST_F(TailTest, RunsAreTheEntriesInOrder) {
  Append(200);
  tail_.PopFront(70);
  const TailPin pin = tail_.Pin(3, 100);
  std::vector<Lsn> lsns;
  std::vector<size_t> runs;
  pin.ForEachRun([&](const TailChunk& chunk, size_t first, size_t count) {
    runs.push_back(count);
    for (size_t row = first; row < first + count; ++row) {
      lsns.push_back(chunk.entries[row].record.lsn);
    }
  });
  EXPECT_EQ(lsns, Range(74, 100));
  EXPECT_THAT(runs, ElementsAre(55, 45));
}

TEST_F(TailTest, CodesComeWithNewChunksAndAreCounted) {
  const index::CodeLayout layout(100, schema::Quantization::kInt8);
  Append(3);
  layout_ = &layout;
  Append(60);
  EXPECT_EQ(tail_.code_bytes(), 0u) << "the chunk began without";
  Append(2);
  const uint64_t chunk_bytes = tail_.code_bytes();
  EXPECT_GT(chunk_bytes, kTailChunkEntries * 128);
  EXPECT_LT(chunk_bytes, kTailChunkEntries * 128 + 2000);
  layout_ = nullptr;
  Append(200);
  EXPECT_EQ(tail_.code_bytes(), chunk_bytes);
  tail_.PopFront(127);
  EXPECT_EQ(tail_.code_bytes(), chunk_bytes);
  tail_.PopFront(1);
  EXPECT_EQ(tail_.code_bytes(), 0u);
  layout_ = &layout;
  Append(64);
  EXPECT_EQ(tail_.code_bytes(), chunk_bytes);
  tail_.PopFront(tail_.count());
  EXPECT_EQ(tail_.code_bytes(), 0u);
}

}  // namespace
}  // namespace engram::space
