// What the agent keeps is for its user alone: it has whatever a building tells.
#include <sys/stat.h>

#include "edge-agent/adapters/data_folder.h"
#include "tests/unit/edge-agent/adapters/log_bench.h"

namespace edgelog::agent {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat about{};
  EXPECT_EQ(stat(path.c_str(), &about), 0) << path;
  return about.st_mode & 0777U;
}

TEST(PrivateFiles, TheFolderThatTheAgentMakesAndTheLogInItAreItsUsersAlone) {
  const mode_t before = umask(022);
  const Folder folder;
  const std::string data = folder.path + "/var/agent/";
  ASSERT_TRUE(DataFolder::open(data));
  EXPECT_EQ(mode_of(folder.path + "/var"), 0755U) << "on the way there";
  EXPECT_EQ(mode_of(data), 0700U);
  EXPECT_EQ(mode_of(data + "lock"), 0600U);
  LogOptions options = options_in(folder);
  options.path = data + "agent.db";
  write_everything(options);
  EXPECT_EQ(mode_of(options.path), 0600U);
  chmod(options.path.c_str(), 0644);  // a version before made it
  Log log(options);
  log.commit({PutMeta{{1, 1}}});
  EXPECT_EQ(mode_of(options.path), 0600U);
  EXPECT_EQ(mode_of(options.path + "-wal"), 0600U);
  umask(before);
}

TEST(PrivateFiles, AFolderThatIsThereStaysAsItIs) {
  const Folder folder;
  chmod(folder.path.c_str(), 0750);
  ASSERT_TRUE(DataFolder::open(folder.path));
  EXPECT_EQ(mode_of(folder.path), 0750U);
}

}  // namespace
}  // namespace edgelog::agent
