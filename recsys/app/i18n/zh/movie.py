"""Simplified Chinese of the page `movie`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "Find a movie": "查找电影",
    "Start with a well-known movie:": "可以从一部广为人知的电影开始：",
    "Start with one of these:": "可以从以下电影开始：",
    "Or click a dot on the map. Nearby dots are similar movies.": "也可以点击地图上的一个点，相近的点是相似的电影。",
    "There is no movie with the id {id}.": "没有编号为 {id} 的电影。",
    # --- facts ---
    "more ratings than {share:.0%} of movies": "评分数超过 {share:.0%} 的电影",
    "more ratings than any other movie": "评分数居所有电影之首",
    "higher than {share:.0%} of movies with at least {n} ratings": "高于 {share:.0%} 的至少有 {n} 条评分的电影",
    "the highest of all movies with at least {n} ratings": "在至少有 {n} 条评分的电影中最高",
    "training data not found": "找不到训练数据",
    "Your rating": "你的评分",
    "Used for your recommendations; stored only in this browser.": "用于为你推荐，只存储在此浏览器中。",
    "Click the same star again to remove your rating.": "再次点击同一颗星即可删除评分。",
    "Tags: {tags}": "标签：{tags}",
    # --- similar movies ---
    "Cosine": "余弦相似度",
    "Direction only: ignores how well known a movie is.": "只看方向，与电影的知名度无关。",
    "cosine, at most 1": "余弦（最大为 1）",
    "Dot product": "点积",
    "Direction and length: favours movies with long vectors.": "方向和长度都计入，偏向向量长的电影。",
    "dot product": "点积",
    "Euclidean distance": "欧氏距离",
    "Close in direction and in length.": "方向和长度都相近。",
    "distance": "距离",
    "number of ratings": "评分数",
    "● in all three lists.": "● 表示三个列表中都有。",
    "No movie is in all three lists.": "没有电影同时出现在三个列表中。",
    "In this model, movies with more ratings have longer vectors (rank correlation {rho:.2f}).": (
        "在该模型中，评分数越多的电影，向量越长（秩相关系数 {rho:.2f}）。"
    ),
    "In this model, movies with more ratings tend to have longer vectors (rank correlation {rho:.2f}).": (
        "在该模型中，评分数多的电影往往向量较长（秩相关系数 {rho:.2f}）。"
    ),
    "In this model, the length of a vector has little to do with the number of ratings (rank correlation "
    "{rho:.2f}).": "在该模型中，向量长度与评分数关系不大（秩相关系数 {rho:.2f}）。",
    "In this model, movies with more ratings tend to have shorter vectors (rank correlation {rho:.2f}).": (
        "在该模型中，评分数多的电影往往向量较短（秩相关系数 {rho:.2f}）。"
    ),
    # --- position ---
    "Position on each axis": "在各条轴上的位置",
    "{title}: {value} standard deviations; closer to “{high}” than {below:.0%} of movies": (
        "{title}：{value} 个标准差，比 {below:.0%} 的电影更靠近“{high}”一端"
    ),
    "In standard deviations from the mean, the most extreme first. Grey: movies with at least {n} ratings. "
    "Small print: how well the axis predicts held-out movies.": (
        "以偏离均值的标准差计，偏离最远的排在最上面。灰色：至少有 {n} 条评分的电影。小字：该轴预测留出的电影的能力。"
    ),
    "In standard deviations from the mean, the most extreme first. Grey: all movies. Small print: how well the "
    "axis predicts held-out movies.": (
        "以偏离均值的标准差计，偏离最远的排在最上面。灰色：所有电影。小字：该轴预测留出的电影的能力。"
    ),
    "Position of {title} on each axis; the table below has the same numbers": (
        "{title} 在各条轴上的位置；下方表格中有同样的数字"
    ),
    "Show as table": "以表格显示",
    "axis": "轴",
    "position": "位置",
    "in standard deviations; positive values are closer to the second end": "以标准差计；正值更靠近第二端",
    "movies closer to the first end": "更靠近第一端的电影",
    "evidence": "依据",
    "Position on the map": "在地图上的位置",
    "Rings mark the ten most similar movies (cosine). Click a dot to open that movie.": (
        "圆环标出余弦相似度最高的十部电影。点击任意一点即可打开该电影。"
    ),
    # --- who likes it ---
    "Who likes it": "谁喜欢它",
    "Counting ratings …": "正在统计评分……",
    "The training data has no ratings of this movie.": "训练数据中没有它的评分。",
    "Too few people liked it to describe their taste: {n}.": "只有 {n} 人喜欢它，人数太少，看不出他们的口味。",
    "{n:,} people liked it. Of the other movies they like, {share:.1%} are {genre}; for all users it is "
    "{everyone:.1%}.": (
        "{n:,} 人喜欢它。在他们喜欢的其他电影中，{genre}片占 {share:.1%}，而所有用户为 {everyone:.1%}。"
    ),
    "{n:,} people liked it. They like the same genres as everyone.": "{n:,} 人喜欢它。他们喜欢的类型与所有人一样。",
    "{n:,} people liked it: too few to tell their taste from everyone's.": (
        "{n:,} 人喜欢它：人数太少，看不出他们的口味与所有人有何不同。"
    ),
    "{genre}: {share:.1%} of what its fans like, {everyone:.1%} for all users; ratio {lift:.2f}, shrunk "
    "towards 1": "{genre}：占影迷喜好的 {share:.1%}，所有用户为 {everyone:.1%}；比值 {lift:.2f}（已向 1 收缩）",
    "How much more its fans like each genre than all users do: from {first} to {last}": (
        "与所有用户相比，影迷对各类型的偏好：从{first}到{last}"
    ),
    "Fans rated the movie at or above their own mean. Bars: a genre's share of what they like, relative to its "
    "share for all users; the movie itself is excluded. Ratios are shrunk towards 1, more so with fewer fans.": (
        "影迷指评分不低于自己平均分的人。条形：某类型在影迷喜好中的占比与在所有用户喜好中的占比之比，不计这部电影本身。"
        "比值向 1 收缩，影迷越少收缩越多。"
    ),
}
