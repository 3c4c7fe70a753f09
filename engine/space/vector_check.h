// Which vectors a space takes.

#ifndef ENGRAM_ENGINE_SPACE_VECTOR_CHECK_H_
#define ENGRAM_ENGINE_SPACE_VECTOR_CHECK_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "schema/space_codec.h"

namespace engram::space {

// INVALID_ARGUMENT naming the space, the value and the limit, unless `vector`
// has the space's dimension, is finite, and has a norm in the range that f32
// arithmetic stands: squared at most 1e30, and at least 1e-30 for cosine.
absl::Status CheckVector(const schema::SpaceDescription& space,
                         absl::Span<const float> vector);

// INVALID_ARGUMENT unless the id has 1 to 512 bytes.
absl::Status CheckId(const schema::SpaceDescription& space,
                     absl::string_view id);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_VECTOR_CHECK_H_
