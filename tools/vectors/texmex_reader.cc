#include "tools/vectors/texmex_reader.h"

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/vectors/texmex_file.h"

namespace engram {
namespace {

template <typename Component>
class TexmexReader : public VectorReader {
 public:
  explicit TexmexReader(TexmexFile file)
      : file_(std::move(file)), components_(file_.dimension()) {}

  uint32_t dimension() const override { return file_.dimension(); }
  uint64_t count() const override { return file_.count(); }

  absl::StatusOr<bool> Next(std::vector<float>* vector) override {
    ENGRAM_ASSIGN_OR_RETURN(
        const bool more,
        file_.Next(absl::MakeSpan(reinterpret_cast<char*>(components_.data()),
                                  components_.size() * sizeof(Component))));
    if (!more) return false;
    if constexpr (std::is_same_v<Component, int32_t>) {
      ENGRAM_RETURN_IF_ERROR(CheckExact());
    }
    vector->assign(components_.begin(), components_.end());
    return true;
  }

 private:
  absl::Status CheckExact() const {
    for (const Component component : components_) {
      const auto value = static_cast<double>(component);
      if (static_cast<double>(static_cast<float>(value)) == value) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          file_.path(), ": vector ", file_.records_read() - 1,
          " holds the integer ", component, ", which is no float"));
    }
    return absl::OkStatus();
  }

  TexmexFile file_;
  std::vector<Component> components_;
};

template <typename Component>
absl::StatusOr<std::unique_ptr<VectorReader>> OpenAs(const std::string& path) {
  ENGRAM_ASSIGN_OR_RETURN(TexmexFile file,
                          TexmexFile::Open(path, sizeof(Component)));
  return std::make_unique<TexmexReader<Component>>(std::move(file));
}

}  // namespace

absl::StatusOr<std::unique_ptr<VectorReader>> OpenTexmexReader(
    const std::string& path, TexmexComponent component) {
  switch (component) {
    case TexmexComponent::kFloat32:
      return OpenAs<float>(path);
    case TexmexComponent::kUint8:
      return OpenAs<uint8_t>(path);
    case TexmexComponent::kInt32:
      break;
  }
  return OpenAs<int32_t>(path);
}

}  // namespace engram
