// Which vectors a space takes.

#ifndef ENGRAM_SCHEMA_VECTOR_CHECK_H_
#define ENGRAM_SCHEMA_VECTOR_CHECK_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "schema/space_codec.h"

namespace engram::schema {

// INVALID_ARGUMENT naming the space, the value and the limit, unless `vector`
// has the space's dimension, is finite, and has a norm in the range that f32
// arithmetic stands: squared at most 1e30, and at least 1e-30 for cosine.
absl::Status CheckVector(const SpaceDescription& space,
                         absl::Span<const float> vector);

// INVALID_ARGUMENT unless the id has 1 to 512 bytes.
absl::Status CheckId(const SpaceDescription& space, absl::string_view id);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_VECTOR_CHECK_H_
