// A folder that appears with all it holds, or not at all.

#ifndef ENGRAM_STORAGE_IO_NEW_FOLDER_H_
#define ENGRAM_STORAGE_IO_NEW_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/io/file_system.h"

namespace engram::io {

// What is added to a folder's name while it is being built.
inline constexpr absl::string_view kUnfinishedSuffix = ".unfinished";

// The file in it that says that it is ours to remove; gone before the folder
// gets its name.
inline constexpr absl::string_view kUnfinishedName = "UNFINISHED";

// Is built beside its place and renamed at the end, so that whoever finds a
// folder under the name finds a complete one. What a killed process left half
// built is removed by the next one that builds the same folder.
//
// Not thread-safe.
class NewFolder {
 public:
  // Starts to build the folder `path`. `files` outlives the object.
  //   ALREADY_EXISTS   something has that name; or what stands where it would
  //                    be built is nothing that an earlier attempt left
  //   NOT_FOUND        there is no folder to put it in
  //   UNAVAILABLE      another process builds it at this moment
  static absl::StatusOr<std::unique_ptr<NewFolder>> Create(
      FileSystem* files, const std::string& path);

  // Removes what was built, unless Publish() returned OK.
  ~NewFolder();

  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  // Where the files go meanwhile; absolute.
  const std::string& building_path() const { return building_path_; }

  // Makes the folder's names durable, gives it its own name, and makes that
  // durable. The files, and the folders in it, have been synced. Called once.
  absl::Status Publish();

 private:
  NewFolder(FileSystem* files, std::string path);

  absl::Status TakeOver();

  FileSystem* const files_;
  const std::string path_;
  const std::string building_path_;
  std::unique_ptr<DirectoryLock> lock_;
  bool building_ = false;  // what stands there is ours
};

// `path` from the root on, without a slash at its end. INVALID_ARGUMENT if it
// names no entry of a folder.
absl::StatusOr<std::string> FullPath(const std::string& path);

// Whether `path` is the folder `folder` or lies in it, wherever symbolic links
// on the way lead; `path` need not exist.
bool LiesIn(const std::string& path, const std::string& folder);

// Removes all that is in a folder, and the folders in it.
absl::Status RemoveContents(FileSystem* files, const std::string& folder);

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_NEW_FOLDER_H_
