"""Simplified Chinese of the page `movie`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "Find a movie": "查找电影",
    "Begin with one that many people know:": "可以从一部广为人知的电影开始：",
    "Or click a dot: near ones are alike.": "也可以点击地图上的一个点：相近的点彼此相似。",
    "No movie here has the id {id}.": "这里没有编号为 {id} 的电影。",
    # --- what it is ---
    "rated by more people than {share:.0%} of the movies": "评分人数超过 {share:.0%} 的电影",
    "rated by more people than any other movie": "评分人数居所有电影之首",
    "higher than that of {share:.0%} of the movies with {n} ratings or more": (
        "高于 {share:.0%} 的至少有 {n} 条评分的电影"
    ),
    "the highest of the movies with {n} ratings or more": "在至少有 {n} 条评分的电影中最高",
    "training data not found": "找不到训练数据",
    "Your rating": "你的评分",
    "It counts for your recommendations, and stays in this browser.": "会影响为你推荐的结果，只保存在此浏览器中。",
    "Click the last star again to take it back.": "再次点击最后一颗星即可撤销。",
    "Tags: {tags}": "标签：{tags}",
    # --- what is like it ---
    "Most like it, by three measures": "三种度量下与它最相似的电影",
    "Cosine": "余弦相似度",
    "Direction only: what a movie is like, however many people know it.": "只看方向：电影本身的特点，与知名度无关。",
    "cosine, at most 1 · ratings": "余弦（最大为 1）· 评分数",
    "Dot product": "点积",
    "Length counts too: movies with long vectors come first.": "长度也计入：向量长的电影排在前面。",
    "product · ratings": "点积 · 评分数",
    "Euclidean distance": "欧氏距离",
    "Near in direction and in length: alike, and about as long.": "方向和长度都相近：特点相似，向量也差不多长。",
    "distance · ratings": "距离 · 评分数",
    "● in all three lists.": "● 表示三个列表中都有。",
    "None is in all three lists.": "没有电影同时出现在三个列表中。",
    "Here the more people rated a movie, the longer its vector (rank correlation {rho:.2f}).": (
        "在这个空间里，评分人数越多，向量越长（秩相关系数 {rho:.2f}）。"
    ),
    "Here movies that more people rated tend to have longer vectors (rank correlation {rho:.2f}).": (
        "在这个空间里，评分人数多的电影往往向量较长（秩相关系数 {rho:.2f}）。"
    ),
    "Here length has little to do with how many people rated a movie (rank correlation {rho:.2f}).": (
        "在这个空间里，向量长度与评分人数关系不大（秩相关系数 {rho:.2f}）。"
    ),
    "Here movies that more people rated tend to have shorter vectors (rank correlation {rho:.2f}).": (
        "在这个空间里，评分人数多的电影往往向量较短（秩相关系数 {rho:.2f}）。"
    ),
    # --- where it lies ---
    "Where it lies on each axis": "它在各条轴上的位置",
    "No axis has a name yet. To look for some:": "还没有命名的轴。可运行以下命令来寻找：",
    "{title}: {value} standard deviations, farther to “{high}” than {below:.0%} of the movies": (
        "{title}：{value} 个标准差，比 {below:.0%} 的电影更靠近“{high}”一端"
    ),
    "In standard deviations from the middle, the farthest out on top. Grey: the movies with {n} ratings or more. "
    "Small: how well the axis tells movies that it had not seen.": (
        "以偏离中点的标准差计，偏离最远的排在最上面。灰色：至少有 {n} 条评分的电影。小字：该轴区分未见过的电影的能力。"
    ),
    "Where {title} lies on each axis; the table below holds the same numbers": (
        "{title} 在各条轴上的位置；下方表格中有同样的数字"
    ),
    "As a table": "以表格查看",
    "axis": "轴",
    "position": "位置",
    "standard deviations; above 0 towards the second end": "标准差；大于 0 表示靠近第二端",
    "movies nearer to the first end": "更靠近第一端的电影",
    "evidence": "依据",
    "Its place on the map": "它在地图上的位置",
    "Rings: its ten neighbours by cosine. Click a dot to see that movie.": (
        "圆环：余弦相似度最高的十部电影。点击任意一点即可查看该电影。"
    ),
    # --- who likes it ---
    "Who likes it": "谁喜欢它",
    "Counting …": "正在统计……",
    "The data hold no ratings of it.": "数据中没有它的评分。",
    "Too few people like it to say what they have in common: {n}.": "只有 {n} 人喜欢它，人数太少，看不出共同点。",
    "{n:,} people rated it at or above their own mean. Of what else they like, {share:.1%} is {genre}, "
    "{everyone:.1%} for everybody.": (
        "{n:,} 人给它的评分不低于自己的平均分。在他们喜欢的其他电影中，{genre}片占 {share:.1%}，而所有人是 "
        "{everyone:.1%}。"
    ),
    "{n:,} people rated it at or above their own mean: too few to tell their taste from everybody's.": (
        "{n:,} 人给它的评分不低于自己的平均分：人数太少，看不出与大家有何不同。"
    ),
    "{n:,} people rated it at or above their own mean. They like the genres that everybody likes.": (
        "{n:,} 人给它的评分不低于自己的平均分。他们喜欢的类型与大家一样。"
    ),
    "{genre}: {share:.1%} of what its fans like, {everyone:.1%} for everybody; {lift:.2f} times, drawn towards 1": (
        "{genre}：占影迷喜好的 {share:.1%}，所有人为 {everyone:.1%}；{lift:.2f} 倍（已向 1 收缩）"
    ),
    "How much more its fans like each genre than everybody: from {first} to {last}": (
        "与所有人相比，影迷对各类型的偏好倍数：从{first}到{last}"
    ),
    "How many times as often a genre stands among what its fans like as among what everybody likes, the movie "
    "itself left out. Drawn towards 1, the more so the fewer the fans.": (
        "某类型在影迷喜好中的占比是在所有人喜好中占比的多少倍，不计这部电影本身。数值向 1 收缩，影迷越少收缩越多。"
    ),
}
