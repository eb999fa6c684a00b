"""All constants of the ranking, each with the reason for its value.

"LoCoMo", "lessons" and "intents" are the evaluation's data sets. "1 to 2 equal on LoCoMo" means:
results in this range differ by less than the noise, and a round number in it was taken. Chosen
without one of LoCoMo's conversations, all constants but `NAME_BOOST` and `TYPICALITY_RAMP` stay as
they are.

A `_RAMP` is a range (low, high) over which an effect grows linearly from none to all of it.
"""

EPSILON = 1e-9
"""Smallest divisor: keeps a division by 0 from happening."""

BM25_K1 = 1.2
"""Saturation of a repeated term: the standard value of Robertson and Zaragoza (2009)."""

BM25_B = 0.75
"""Strength of length normalisation: the standard value; 0.5 equal on LoCoMo, worse on lessons."""

EXACT_SHARE = 0.5
"""Weight of a word's exact form, where its stem has 1: gains 1 point on LoCoMo, 2 on everyday."""

QUERY_TERMS_MAX = 256
"""Query terms that are scored, of the greatest weight: bounds the cost of a very long query."""

CENTRING_PRIOR = 10.0
"""Zero vectors that are added before the candidates' mean vector is taken.

They matter only where there are few candidates: a single one would be its own mean.
"""

LEXICAL_WEIGHT_MAX = 1.2
"""Weight of the lexical score where nothing favours the dense one, whose weight is 1.

1 to 1.6 equal on LoCoMo.
"""

LEXICAL_WEIGHT_MIN = 0.2
"""The same where the dense score is favoured most: 0.1 to 0.3 equal on lessons and intents."""

LEVEL_BY_COSINE = 0.85
"""Share of the cosine in the absolute level; the rest is the coverage of the query's terms.

Of 0.5 to 0.95 it separates best the questions of LoCoMo that were asked of their own conversation
from those asked of another one (AUC 0.985; 0.8 to 0.9 equal, 2/3 0.980). Cosines less a usual one
separate no better.
"""

QUERY_LENGTH_RAMP = 8, 32
"""Distinct query terms over which the lexical weight falls.

Questions have 3 to 8, issue reports 80.
"""

TYPICALITY_RAMP = -1.0, 0.0
"""Typicality of the query over which it comes to count as the same kind of text as the candidates.

It is about 0 for issues among issues and messages among messages, and -1.7 for questions about a
chat.
"""

SAME_TEXT_RAMP = 0.7, 0.9
"""Cosine of the nearest candidate over which it comes to count as the query in other words."""

TRUST_RAMP = -1.0, 1.0
"""Standard deviations above chance over which the dense score comes to be believed (`dense_trust`).

Random vectors have 0, give or take 1; a model that knows the language has 4 to 6 (XQuAD, lessons,
LoCoMo). With 0 to 2 lessons lose 2 points of hit@1.
"""

KNOWN_RAMP = 0.3, 0.6
"""Share of the query's words that some text has, over which words come to be believed.

Medians: 0 to 0.26 where question and texts are of different languages, 0.84 to 1 else (XQuAD), 1 on
LoCoMo and everyday.
"""

OTHER_LANGUAGE_RAMP = -6.0, -3.0
"""Typicality below which a query that shares few words is in another language than the candidates.

Medians: -12 to -6 for English questions among paragraphs in Arabic and Chinese and the other way
round, -2.3 to 0 within a language (XQuAD), -1.7 on LoCoMo. Without centring hits among Chinese ones
rise from 67.6 to 75.2.
"""

TRUSTED_CANDIDATES_MIN = 4
"""Candidates with a vector below which chance cannot be told from knowledge."""

SMOOTHING_RAMP = 0.5, 0.7
"""Mean cosine of the candidates nearest to the query over which scores come to be smoothed.

It is 0.44 to 0.6 in LoCoMo and 0.57 to 0.76 in intents.
"""

SMOOTHING_STEP_MAX = 0.5
"""Longest step of a score towards the mean score of its neighbours, as a share of the distance.

Gains 1 to 2 of nDCG@10 on intents at no cost in hits; 0.7 gains little more and costs hits.
"""

SMOOTHING_NEIGHBOURS = 10
"""Neighbours that a score is smoothed with: 10 and 20 equal on intents."""

SMOOTHING_POOL = 100
"""Best candidates that are smoothed: 200 gained nothing."""

SMOOTHING_SHARPNESS = 10.0
"""Weight of a neighbour: exp(sharpness * (cosine - 1)); 5 and 10 equal, 20 worse."""

NAME_BOOST = 0.1
"""Share of the best content score that a memory gains if the query names its speaker or entity.

0.2 gains 0.5 points on LoCoMo, and loses 8 to 15 where the wrong one of two is named.
"""

GRAPH_BOOST = 0.1
"""Share of the best content score that a memory gains at most by its connection, over entities and
relations, with a name in the query.

The same as `NAME_BOOST`, since the evidence is of the same sort. It lifts a memory that shares no
word with the query above those that fit the query a little, and never above one that answers it.
None of our data sets has relations; without relations and entities the gain is 0.
"""

SECOND_HOP_SHARE = 0.5
"""Share of it that a memory two hops away gains."""

SECOND_LOOK_BOOST = 0.7
"""Share of the best content score that a memory gains at most which says the rest of a question,
where one that answers a part of it leads to it. With 0.6 it comes behind that one, with 0.8 before
it; none of our data sets has entities.
"""

SPREAD_LOSS = 0.03
"""Share of the best score that a memory loses by each better one of its run, where a question asks
for many. On LoCoMo 0.03 gains 1.5 of recall@10 in multi-hop questions and 0.3 over all; 0.05 gains
0.7 more there, and loses 0.5 in single-hop ones.
"""

NAME_WORDS_MAX = 4
"""Words of the longest name that is looked up in a large scope."""

NAMING_WORDS_MAX = 256
"""Words at the beginning of a query that are searched for names."""

REPLY_SHARE = 0.1
"""Share of a question's score that goes to its reply: 0.05 to 0.15 equal on LoCoMo."""

SHORT_MESSAGE_TERMS = 1.0
"""Terms at which a message in a conversation keeps half its score: "Thanks!" says little.

0.5 to 2 equal on LoCoMo.
"""

TIME_BOOST = 0.1
"""Share of its score that a memory with a time expression gains when the query asks for a time.

0.05 to 0.2 equal on LoCoMo.
"""

PERIOD_BOOST = 0.6
"""Share of the best content score that a memory gains if it is of a time that the query names.

0.3 to 0.6 equal on LoCoMo, where it gains 2.5 of recall@10 and of MRR; 0.6 best on everyday.
"""

ORDER_BOOST = 0.5
"""Share of the best content score that the latest memory gains, or the first, among those that
match a question for it. It decides between those that match by 0.6 of the best. Messages of a
conversation gain nothing: there "first" is a word among others, and it costs 0.4 of MRR on LoCoMo.
"""

PERIOD_BOOST_ALONE = 1.0
"""The same where no memory has a word of the question: the time is all that it asks for."""

PERIOD_LEVEL = 0.3
"""Score of a memory of that time where there are no vectors, either."""

PERIOD_READ = 100
"""Best candidates whose texts are read for dates."""

COARSE_DATE_FIT = 0.5
"""How well a memory fits that names a longer time than the query does: 2026 for June 2026."""

RECORD_LOSS = 0.2
"""Share of its score that an outcome loses among memories of other kinds: of the same words a fact
comes first. A record repeats the words of the task, and so those of later questions.
"""

OVER_LOSS = 0.6
"""Share of its score that a memory loses that no longer holds, unless the question asks for then.

0.6 and 0.7 equal on everyday, where 0.4 leaves one before what holds. What is over stays before
what has nothing to do with the question.
"""

RECENCY_BOOST = 0.03
"""Share of its score that a memory of this moment gains: puts the newer of two equal ones first.

None of our data sets tests age; the bound keeps age from deciding between different memories.
"""

DAY = 86_400.0
RECENCY_HALF_LIFE = 30 * DAY
"""Seconds in which the gain by recency halves: a month, as in other memory servers."""

KIND_HALF_LIVES = {"outcome": 90 * DAY, "procedure": 180 * DAY, "lesson": 365 * DAY}
"""The same for kinds that stay valid for longer."""

PSEUDO_COUNT, PSEUDO_COUNT_HERE, PSEUDO_COUNT_HARM = 5.0, 0.5, 1.0
"""Neutral feedback signals that are added: in general, and to help and harm for similar queries.

These and all that follow of feedback were chosen on LoCoMo's feedback simulation, on three of the
five conversations, such that questions gain most over all, whether what answers them was marked for
them or not: what lifts only the former by more (smaller counts, greater boosts) harms the latter by
as much. One mark for the same question counts for two thirds; harm is by so much slower because
one wrong memory says less of its likes than one right memory does.
"""

QUERY_LIKENESS_POWER, SAME_QUERY_POWER = 12.0, 30.0
"""Powers of the similarity of two queries: how much feedback on one counts for the other.

Of the memories that a helpful mark for another question lifts, 20 % answer at a cosine above 0.9,
7 % above 0.8, and below no more than of unmarked ones at the same rank. What is said of the same
question in other words counts by the second.
"""

QUERY_LIKENESS_MIN = 1e-3
"""Likeness of two queries, after the power, below which feedback on one is nothing to the other."""

QUERY_WORDS_SHARE = 0.2
"""Share of the words in the similarity of two queries, where both have vectors.

0 gains more for questions whose answer was marked for a similar one, and harms the others.
"""

QUERY_CHARACTERS_READ = 1_000
"""Characters of a question whose words are compared: bounds the cost of a very long one."""

GENERAL_SHARE = 0.25
"""Share of a mark for a question that counts for any query; one without a question counts whole."""

FEEDBACK_BOOST = 0.15
"""Share of its score that a memory gains or loses at most by all its feedback."""

FEEDBACK_SPREAD, FEEDBACK_BOOST_HERE = 1.0, 0.2
"""Shares of the best score that are gained by likeness to what helped with similar queries, and by
having helped with the same query. 0.7 to 1.3 equal.
"""

FEEDBACK_BOOST_MAX = 0.6
"""Share of the best score that feedback on similar queries adds or takes at most."""

COHERENCE_RAMP = 0.05, 0.15
"""Mean cosine of neighbours over which a run comes to count as a conversation.

It is 0.18 to 0.28 in LoCoMo, and 0 for texts in random order.
"""

COHERENCE_SAMPLE = 128
"""Pairs of neighbours that this mean is taken of."""

COHERENCE_PRIOR = 10.0
"""Pairs of usual neighbours that are added to the sample, so that short runs keep their context."""

CONTEXT_TERMS = 40.0
"""Mean length of two messages, in terms, at which each has weight 0.5 in the other's window.

25 to 80 equal on LoCoMo (13 a turn); with six turns joined into one (80) weights must be small.
"""

NEIGHBOUR_COSINE = 0.2
"""Usual cosine of two consecutive messages after centring (LoCoMo)."""

RERANK_WEIGHT = 0.6
"""Weight of a reranking model's relevance, where one is configured; not measured with any."""

LEAST_SCORE = 0.15
"""Score below which a memory belongs to an answer only if it is near to the best one.

With the 0.3 of recall.least_share, LoCoMo, intents and everyday lose nothing of hit@10 and
recall@10, XQuAD 0.07 and lessons 0.16 points; with 0.2 XQuAD 0.18 and lessons 0.44. Without an
embedder right answers score 0.1, so that it is no bound by itself.
"""

NEAR_SHARE = 0.6
"""Share of the best score that is near: 0.7 costs XQuAD 0.1 points."""

REMARK_WORDS_MAX = 4
"""Words of a message that is never a duplicate: it depends on its context."""

CACHED_TEXTS_MAX = 50_000
"""Texts whose terms are cached: the candidates of many recalls."""

CACHED_CHARACTERS_MAX = 20_000_000
"""Characters of these texts: bounds the cache where texts are long."""

WORD_CHARACTERS_MAX = 64
"""Characters of a word that count: a longer one is data, not language."""

PASSAGE_SIZE = 600
"""Letters of a passage of a long text: about 150 tokens, or six sentences.

300 to 1,000 equal on LoCoMo with turns joined to 300 to 800 words.
"""

WHOLE_SIZE_MAX = 900
"""Letters up to which a text is one passage."""

EMBEDDED_PASSAGE_SIZE = 400
"""Letters of a passage that has a vector of its own.

Chosen on lessons without Django's, where 300 and 600 lose 2 to 4 points of hit@5; on half of
XQuAD's articles 300 gains 0.3 of hit@1 for a third more room.
"""

EMBEDDED_WHOLE_MAX = 600
"""Letters up to which a text, or a question, has no vector but that of the whole."""

NEAREST_PASSAGE_SHARE = 0.7
"""What the nearest passage counts for in the dense score of a long text; the rest is the whole.

Chosen on lessons without Django's (0.5 to 0.8 equal; 1, the passage alone, loses 3 points of
hit@5) and on half of XQuAD's articles (0.2 points of hit@1 better than 0.5).
"""

PASSAGES_MAX = 64
"""Passages of a text: bounds the cost of a very long one, whose passages are longer."""

PASSAGE_LENGTH_MAX = 3.0
"""Length that a passage counts as at most, in mean lengths of the texts that are one passage.

Without a bound everyday's long notes lose 5 points of hit@1 to short ones; from 2 down everyday's
short notes lose 1 to the passages of long ones beside them.
"""
