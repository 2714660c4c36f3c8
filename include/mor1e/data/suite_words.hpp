// The word lists of the generated suite.
#pragma once

#include <string_view>

namespace mor1e::data::suite_words {

inline constexpr std::string_view women[] = {"Anna",   "Clara",  "Emma",  "Grace", "Irene", "Karen", "Maria",
                                             "Olivia", "Rachel", "Tina",  "Wendy", "Alice", "Lucy",  "Julia",
                                             "Sarah",  "Mary",   "Laura", "Susan", "Helen", "Nancy"};
inline constexpr std::string_view men[] = {"Ben",  "David", "Frank",  "Henry",  "Jack",   "Leo",  "Nick",
                                           "Paul", "Sam",   "Victor", "Adam",   "Tom",    "Mark", "Peter",
                                           "John", "James", "Daniel", "Robert", "George", "Kevin"};

inline constexpr std::string_view positive[] = {
    "delightful", "superb",     "charming",   "splendid", "pleasant",    "brilliant", "wonderful", "lovely",
    "excellent",  "impressive", "refreshing", "cozy",     "elegant",     "reliable",  "gorgeous",  "marvelous",
    "stunning",   "exquisite",  "admirable",  "flawless", "magnificent", "terrific",  "memorable", "enjoyable",
    "satisfying", "fantastic",  "polished",   "graceful", "outstanding", "fabulous",  "amazing",   "perfect"};
inline constexpr std::string_view negative[] = {
    "dreadful",  "awful",     "tedious",  "filthy",     "shoddy",  "dismal", "horrid",     "disappointing",
    "miserable", "clumsy",    "bland",    "greasy",     "nasty",   "rude",   "broken",     "flimsy",
    "lousy",     "atrocious", "mediocre", "unpleasant", "boring",  "ugly",   "stale",      "shabby",
    "appalling", "terrible",  "grim",     "tiresome",   "useless", "dull",   "overpriced", "pathetic"};

/// Things that are reviewed, and what the house style advises of a good and of a bad one.
struct domain {
  std::string_view good, bad;
  std::string_view nouns[10];
};
inline constexpr domain domains[] = {
    {"watch",
     "skip",
     {"film", "movie", "documentary", "thriller", "comedy", "sequel", "cartoon", "musical", "play", "drama"}},
    {"eat", "spit", {"soup", "cake", "pizza", "salad", "sandwich", "curry", "pie", "stew", "pasta", "burger"}},
    {"stay", "leave", {"hotel", "hostel", "cabin", "motel", "inn", "resort", "apartment", "cottage", "lodge", "villa"}},
    {"keep",
     "return",
     {"phone", "laptop", "camera", "printer", "keyboard", "watch", "speaker", "tablet", "monitor", "charger"}},
};

struct antonyms {
  std::string_view more, less;
};
inline constexpr antonyms comparatives[] = {
    {"taller", "shorter"},  {"older", "younger"},  {"faster", "slower"},  {"richer", "poorer"},  {"heavier", "lighter"},
    {"stronger", "weaker"}, {"happier", "sadder"}, {"louder", "quieter"}, {"smarter", "duller"}, {"braver", "shyer"}};

/// "Anna met Tom after he had lunch."
struct meeting {
  std::string_view verb, had;
};
inline constexpr meeting meetings[] = {
    {"met", "lunch"}, {"called", "supper"}, {"saw", "a nap"}, {"wrote to", "a walk"}, {"helped", "a rest"}};

/// Words of one kind, and two ways to ask for them.
struct kind {
  std::string_view name, asked, meaning;
  std::string_view words[40];
};
inline constexpr kind kinds[] = {
    {"animal",
     "an animal",
     "a living creature",
     {"dog",   "cat",     "horse",   "cow",  "sheep", "goat",   "pig",      "rabbit", "mouse",  "lion",
      "tiger", "bear",    "wolf",    "fox",  "deer",  "monkey", "elephant", "whale",  "shark",  "eagle",
      "owl",   "duck",    "goose",   "frog", "snake", "spider", "camel",    "donkey", "turtle", "lizard",
      "zebra", "dolphin", "penguin", "hawk", "otter", "beaver", "squirrel", "bat",    "bee",    "ant"}},
    {"food",
     "something to eat",
     "what one eats",
     {"bread",     "rice",   "cheese", "butter", "egg",    "apple", "banana", "grape", "lemon", "tomato",
      "potato",    "carrot", "onion",  "garlic", "bean",   "corn",  "pasta",  "soup",  "cake",  "cookie",
      "chocolate", "honey",  "sugar",  "salt",   "pepper", "meat",  "beef",   "pork",  "ham",   "fish",
      "salad",     "pie",    "jam",    "yogurt", "cereal", "peach", "pear",   "mango", "nut",   "olive"}},
    {"person", "a person", "somebody", {"teacher", "doctor",   "nurse",   "farmer",   "lawyer", "soldier", "sailor",
                                        "pilot",   "baker",    "tailor",  "king",     "queen",  "prince",  "priest",
                                        "poet",    "artist",   "actor",   "singer",   "dancer", "writer",  "painter",
                                        "student", "uncle",    "aunt",    "cousin",   "nephew", "niece",   "brother",
                                        "sister",  "mother",   "father",  "judge",    "chef",   "mayor",   "captain",
                                        "hunter",  "merchant", "scholar", "engineer", "banker"}},
    {"place",
     "a place",
     "where one can go",
     {"river",   "lake",    "island",   "mountain", "valley",  "forest", "desert", "beach",   "harbor",  "village",
      "city",    "town",    "park",     "garden",   "street",  "bridge", "castle", "church",  "temple",  "school",
      "library", "museum",  "hospital", "market",   "factory", "farm",   "prison", "airport", "station", "hotel",
      "theater", "stadium", "canyon",   "bay",      "ocean",   "meadow", "cave",   "hill",    "coast",   "cemetery"}},
    {"body",
     "a part of the body",
     "what a body has",
     {"head",   "nose",   "mouth",   "ear",      "eye",   "chin",  "cheek", "neck",   "shoulder", "arm",
      "elbow",  "wrist",  "finger",  "thumb",    "knee",  "ankle", "toe",   "foot",   "heel",     "hip",
      "chest",  "belly",  "stomach", "liver",    "lung",  "heart", "brain", "skin",   "bone",     "muscle",
      "throat", "tongue", "lip",     "forehead", "tooth", "hair",  "spine", "kidney", "skull",    "palm"}},
    {"tool", "a tool", "what one works with", {"hammer",   "lock",   "knife",  "fork",   "spoon",    "shovel", "rake",
                                               "axe",      "drill",  "needle", "pen",    "pencil",   "brush",  "broom",
                                               "bucket",   "ladder", "rope",   "chain",  "nail",     "screw",  "wrench",
                                               "scissors", "razor",  "mirror", "candle", "lamp",     "clock",  "bell",
                                               "drum",     "guitar", "piano",  "violin", "umbrella", "basket", "bottle",
                                               "cup",      "plate",  "pan",    "kettle", "pot"}},
};

}  // namespace mor1e::data::suite_words
