#include "storage/io/new_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"

namespace engram::io {
namespace {

std::string ParentOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::string NameOf(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// From the root on, without "." and ".."; "" if that cannot be said.
std::filesystem::path Absolute(const std::string& path) {
  if (path.empty()) return {};
  std::error_code error;
  const std::filesystem::path full = std::filesystem::absolute(path, error);
  return error ? std::filesystem::path() : full.lexically_normal();
}

std::string Canonical(const std::string& path) {
  std::error_code error;
  const std::filesystem::path full = Absolute(path);
  const std::filesystem::path canonical =
      std::filesystem::weakly_canonical(full, error);
  return error ? full.string() : canonical.string();
}

}  // namespace

absl::StatusOr<std::string> FullPath(const std::string& path) {
  std::string full = Absolute(path).string();
  while (full.size() > 1 && full.back() == '/') full.pop_back();
  if (full.empty() || full == "/") {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\" is not the name of a folder to make"));
  }
  return full;
}

bool LiesIn(const std::string& path, const std::string& folder) {
  const std::string inner = absl::StrCat(Canonical(path), "/");
  const std::string outer = absl::StrCat(Canonical(folder), "/");
  return inner.compare(0, outer.size(), outer) == 0;
}

absl::Status RemoveContents(FileSystem* files, const std::string& folder) {
  // A symbolic link is not followed: opening it as a folder is refused.
  ENGRAM_ASSIGN_OR_RETURN(const auto directory,
                          files->OpenDirectory(folder, false));
  ENGRAM_ASSIGN_OR_RETURN(std::vector<std::string> names, directory->List());
  // What says that the rest may be removed goes last.
  std::stable_partition(
      names.begin(), names.end(),
      [](const std::string& name) { return name != kUnfinishedName; });
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(folder, "/", name);
    const absl::StatusOr<bool> is_folder = files->IsFolder(path);
    if (is_folder.ok() && *is_folder) {
      ENGRAM_RETURN_IF_ERROR(RemoveContents(files, path));
      ENGRAM_RETURN_IF_ERROR(files->RemoveFolder(path));
    } else {
      ENGRAM_RETURN_IF_ERROR(directory->Remove(name));
    }
  }
  return absl::OkStatus();
}

NewFolder::NewFolder(FileSystem* files, std::string path)
    : files_(files),
      path_(std::move(path)),
      building_path_(absl::StrCat(path_, kUnfinishedSuffix)) {}

absl::StatusOr<std::unique_ptr<NewFolder>> NewFolder::Create(
    FileSystem* files, const std::string& path) {
  ENGRAM_ASSIGN_OR_RETURN(std::string full, FullPath(path));
  if (files->Exists(full)) {
    return absl::AlreadyExistsError(absl::StrCat(full, ": exists already"));
  }
  const absl::StatusOr<bool> is_folder = files->IsFolder(ParentOf(full));
  if (!is_folder.ok() || !*is_folder) {
    return absl::NotFoundError(
        absl::StrCat(ParentOf(full), ": there is no such folder"));
  }
  std::unique_ptr<NewFolder> folder(new NewFolder(files, std::move(full)));
  ENGRAM_RETURN_IF_ERROR(folder->TakeOver());
  return folder;
}

// Makes the folder that is built in, or takes the one of an attempt that was
// interrupted. Its lock, and not its being there, says whether it was.
absl::Status NewFolder::TakeOver() {
  ENGRAM_ASSIGN_OR_RETURN(const auto directory,
                          files_->OpenDirectory(building_path_, true));
  absl::StatusOr<DirectoryLock> lock = files_->Lock(building_path_);
  if (absl::IsUnavailable(lock.status())) {
    return absl::UnavailableError(absl::StrCat(
        building_path_, ": another process writes to it at this moment"));
  }
  ENGRAM_RETURN_IF_ERROR(lock.status());
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          directory->List());
  const bool ours =
      std::find(names.begin(), names.end(), kUnfinishedName) != names.end();
  if (!names.empty() && !ours) {
    return absl::AlreadyExistsError(absl::StrCat(
        building_path_, ": exists and is not what an interrupted attempt ",
        "leaves; rename or remove it"));
  }
  building_ = true;
  lock_ = std::make_unique<DirectoryLock>(*std::move(lock));
  ENGRAM_RETURN_IF_ERROR(RemoveContents(files_, building_path_));
  ENGRAM_RETURN_IF_ERROR(
      files_->WriteSmallFile(absl::StrCat(building_path_, "/", kUnfinishedName),
                             absl::StrCat("to become ", path_, "\n")));
  return directory->Sync();
}

NewFolder::~NewFolder() {
  if (!building_) return;
  // Nothing is lost by what cannot be removed: it does not have the name of
  // what it was to become, and the next attempt removes it.
  const absl::Status removed = RemoveContents(files_, building_path_);
  if (removed.ok()) files_->RemoveFolder(building_path_).IgnoreError();
}

absl::Status NewFolder::Publish() {
  ENGRAM_ASSIGN_OR_RETURN(const auto directory,
                          files_->OpenDirectory(building_path_, false));
  ENGRAM_RETURN_IF_ERROR(directory->Sync());
  ENGRAM_RETURN_IF_ERROR(directory->Remove(kUnfinishedName));
  ENGRAM_RETURN_IF_ERROR(directory->Sync());
  if (files_->Exists(path_)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path_, ": exists now; it did not when this was started"));
  }
  ENGRAM_ASSIGN_OR_RETURN(const auto parent,
                          files_->OpenDirectory(ParentOf(path_), false));
  ENGRAM_RETURN_IF_ERROR(parent->Rename(NameOf(building_path_), NameOf(path_)));
  const absl::Status synced = parent->Sync();
  if (!synced.ok()) {
    // Whether the name lasts is not known, so nobody should find it.
    const absl::Status undone =
        parent->Rename(NameOf(path_), NameOf(building_path_));
    building_ = undone.ok();
    return synced;
  }
  building_ = false;
  return absl::OkStatus();
}

}  // namespace engram::io
