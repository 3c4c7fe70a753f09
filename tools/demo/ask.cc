#include "tools/demo/ask.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/base/status_macros.h"
#include "tools/demo/agents.h"

namespace engram::demo {
namespace {

using std::chrono::steady_clock;

constexpr uint32_t kShown = 7;

double CosineDistance(const std::vector<float>& a,
                      const std::vector<float>& b) {
  double dot = 0;
  double norm_a = 0;
  double norm_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    norm_a += static_cast<double>(a[i]) * a[i];
    norm_b += static_cast<double>(b[i]) * b[i];
  }
  return 1 - dot / std::sqrt(norm_a * norm_b);
}

struct Answer {
  std::string word;
  float distance = 0;
};

// The nearest words of all agents together, without the word itself. A word
// that several of them know counts once.
absl::StatusOr<std::vector<Answer>> Ask(const std::vector<Space>& spaces,
                                        const std::string& word,
                                        const std::vector<float>& vector) {
  std::map<std::string, float> distances;
  for (const Space& space : spaces) {
    SearchOptions options;
    options.k = kShown + 1;
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<Hit> hits,
                            space.Search(vector, options));
    for (const Hit& hit : hits) distances.emplace(hit.id, hit.distance);
  }
  distances.erase(word);
  std::vector<Answer> answers;
  for (const auto& [id, distance] : distances) {
    answers.push_back({id, distance});
  }
  std::sort(
      answers.begin(), answers.end(),
      [](const Answer& a, const Answer& b) { return a.distance < b.distance; });
  if (answers.size() > kShown) answers.resize(kShown);
  return answers;
}

// How many of `answers` are among as many that a scan of all words finds.
size_t CountExact(const Words& words, size_t word,
                  const std::vector<Answer>& answers) {
  std::vector<std::pair<double, std::string>> scanned;
  for (size_t i = 0; i < words.count(); ++i) {
    if (i == word) continue;
    scanned.emplace_back(CosineDistance(words.vectors[word], words.vectors[i]),
                         words.names[i]);
  }
  const size_t count = std::min<size_t>(kShown, scanned.size());
  std::partial_sort(scanned.begin(),
                    scanned.begin() + static_cast<ptrdiff_t>(count),
                    scanned.end());
  scanned.resize(count);
  size_t exact = 0;
  for (const Answer& answer : answers) {
    exact += std::any_of(
        scanned.begin(), scanned.end(),
        [&](const auto& true_one) { return true_one.second == answer.word; });
  }
  return exact;
}

}  // namespace

absl::Status AskAgents(Db& db, const Words& words, const Screen& screen) {
  screen.Section("2. What is near ...");
  std::vector<Space> spaces;
  for (size_t agent = 0; agent < kAgents; ++agent) {
    ENGRAM_ASSIGN_OR_RETURN(Space space, OpenAgent(db, words, agent));
    spaces.push_back(std::move(space));
  }
  size_t exact = 0;
  size_t shown = 0;
  double micros = 0;
  const std::vector<std::string> questions = {"king", "river", "doctor"};
  for (const std::string& question : questions) {
    ENGRAM_ASSIGN_OR_RETURN(const size_t word, FindWord(words, question));
    const steady_clock::time_point begin = steady_clock::now();
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<Answer> answers,
                            Ask(spaces, question, words.vectors[word]));
    micros +=
        std::chrono::duration<double, std::micro>(steady_clock::now() - begin)
            .count();
    std::string line = absl::StrFormat("%-6s", question);
    for (const Answer& answer : answers) {
      absl::StrAppendFormat(&line, "  %s %.2f", answer.word, answer.distance);
    }
    screen.Text(line);
    exact += CountExact(words, word, answers);
    shown += answers.size();
  }
  if (shown != questions.size() * kShown) {
    return absl::DataLossError(absl::StrCat("the agents know ", shown,
                                            " neighbors, expected ",
                                            questions.size() * kShown));
  }
  screen.Line("one question", screen.Duration(micros / questions.size()),
              absl::StrCat("mean; ", kAgents, " spaces one after another"));
  screen.Line("as an exact scan has it", absl::StrCat(exact, " of ", shown),
              absl::StrCat("of all ", Thousands(words.count()),
                           " words; the graph search is approximate"));
  return absl::OkStatus();
}

}  // namespace engram::demo
