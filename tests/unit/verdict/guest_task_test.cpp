#include "verdict/guest_task.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "verdict/shell_words.h"

namespace reprise::verdict {
namespace {

/// What the host's shell makes of `script`.
std::string by_shell(const std::string& script) {
  const std::string command = "exec sh -c " + shell_word(script);
  FILE* const pipe = popen(command.c_str(), "r");
  std::string out;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) out += static_cast<char>(c);
  pclose(pipe);
  return out;
}

TEST(ShellWords, AShellReadsBackWhatTheyWere) {
  const std::vector<std::string> words = {
      "plain", "", "two words", "it's", "$HOME `x` \\ \"q\"", "*", "a\nb", "~", "-n", "#x", "\xff", "a=b"};
  EXPECT_EQ(by_shell("printf '%s|' " + shell_words(words)),
            "plain||two words|it's|$HOME `x` \\ \"q\"|*|a\nb|~|-n|#x|\xff|a=b|");
}

TEST(ShellWords, NamesOfVariables) {
  EXPECT_TRUE(is_variable_name("A_1"));
  EXPECT_TRUE(is_variable_name("_"));
  for (const char* name : {"", "1A", "A-B", "A B", "A=B", "\xc3\xa4"})
    EXPECT_FALSE(is_variable_name(name)) << name;
}

TEST(GuestTask, SaysWhatIsToBeRunWithWhichEnvironment) {
  GuestTask task;
  task.command = {"printf", "%s|", "a b", "$X"};
  task.environment = {{"X", "it's"}, {"Y", ""}};
  // The guest's programs are the host's here: busybox's env is.
  const std::string script = task_text(task) + "b=\ninto=\nrun_command\nprintf 'X=%s' \"$root\"\n";
  EXPECT_EQ(by_shell(script), "a b|$X|X=memory");
  task.command = {"echo \"$X\" $HOME; exit 3"};
  EXPECT_EQ(by_shell(task_text(task) + "b=\ninto=\nrun_command\necho $?\n"), "it's /root\n3\n");
}

TEST(GuestTask, AGuestThatWaitsIsTheSameForEachCommand) {
  GuestTask task;
  task.waits = true;
  const std::string text = task_text(task);
  task.command = {"echo", "it's me"};
  task.environment = {{"A", "1"}};
  EXPECT_EQ(task_text(task), text);
  // It reads lines up to the token.
  std::string sent = command_text(task);
  ASSERT_TRUE(sent.ends_with('\n' + token_of(task) + '\n'));
  sent.resize(sent.size() - token_of(task).size() - 1);
  EXPECT_EQ(by_shell(sent + "b=\ninto=\nrun_command\n"), "it's me\n");
}

TEST(GuestTask, TheTokenFollowsFromTheTask) {
  GuestTask task;
  task.command = {"true"};
  GuestTask other = task;
  EXPECT_EQ(token_of(task), token_of(other));
  other.environment = {{"A", "1"}};
  EXPECT_NE(token_of(task), token_of(other));
  EXPECT_EQ(token_of(task).size(), 24U);
}

TEST(GuestTask, TheFirstProgramIsAScriptThatAShellCanRead) {
  EXPECT_TRUE(init_text().starts_with("#!/.reprise/busybox sh\n"));
  EXPECT_EQ(by_shell("sh -n -c " + shell_word(init_text()) + " 2>&1 && echo good"), "good\n");
}

}  // namespace
}  // namespace reprise::verdict
