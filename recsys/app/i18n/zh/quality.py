"""Simplified Chinese of the page `quality`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "Only the owner of this page can measure.": "只有本页面的所有者才能评测。",
    "How well {model} recommends movies, measured on held-out ratings.": (
        "{model} 的推荐有多准，用训练时未使用的评分来检验。"
    ),
    "Measured and saved in {seconds:,.0f} s.": "评测完成并已保存，用时 {seconds:,.0f} 秒。",
    "{model} (this model)": "{model}（本模型）",
    # --- ranking ---
    "Comparison with other models": "与其他模型比较",
    "The recommendations of this model have not been evaluated yet.": ("该模型的推荐尚未评测。"),
    "Only this model was evaluated, so there is no comparison.": "本次只评测了该模型，没有可比较的对象。",
    "By nDCG@{k}, this model is {standing}.": "按 nDCG@{k}，本模型{standing}。",
    "ahead of {models}": "优于 {models}",
    "behind {models}": "不及 {models}",
    "; ": "；",
    "No difference from {models} in nDCG@{k} is shown.": "在 nDCG@{k} 上，未能显示出与 {models} 有差别。",
    "Ahead or behind: the 95% interval of the difference over the same users excludes 0.": (
        "“优于”或“不及”：在同一批用户上，差值的 95% 区间不包含 0。"
    ),
    "Beyond hits": "热门之外",
    "nDCG without the best-known movies: they are neither recommended nor counted. 1 is perfect.": (
        "去掉最知名的电影后的 nDCG：这些电影既不推荐，也不计入答案；1 为满分。"
    ),
    "Quality from few ratings": "只有少量评分时的质量",
    "With **{few} ratings** of a new user, nDCG@{k} is **{ndcg:.2f}** and **{harm:.1%}** of the recommended movies are "
    "ones that the user dislikes; with {many}, {later:.2f} and {later_harm:.1%}.": (
        "新用户只给出 **{few} 条评分**时，nDCG@{k} 为 **{ndcg:.2f}**，推荐的电影中有 **{harm:.1%}** 是该用户不喜欢的；"
        "给出 {many} 条时，分别为 {later:.2f} 和 {later_harm:.1%}。"
    ),
    "Ahead of **{other}** with {numbers} ratings.": "评分数为 {numbers} 时优于 **{other}**。",
    "Behind **{other}** with {numbers} ratings.": "评分数为 {numbers} 时不及 **{other}**。",
    "No difference from **{other}** is shown.": "未能显示出与 **{other}** 有差别。",
    "Disliked share": "不喜欢的占比",
    "{users:,} users whom the models do not know, with the same held-out ratings at every number of known ratings. nDCG "
    "counts movies rated at least three quarters up the scale (4 of 5 stars) as liked; movies rated in its lowest third "
    "(1 or 2 of 5) are disliked. Bars: 95% intervals.": (
        "{users:,} 位模型未见过的用户；无论已知多少条评分，留出的评分都相同。nDCG 把评分达到量表四分之三以上（5 星制的 4 星起）的电影算作喜欢；"
        "落在最低三分之一（5 星制的 1、2 星）的算作不喜欢。竖线为 95% 区间。"
    ),
    "Evaluated users: {n:,}. That is too few to tell which model is better.": (
        "参与评测的人数：{n:,}。人数太少，无法说明哪个模型更好。"
    ),
    "Evaluated users: {n:,}. That is too few to compare groups of users.": "参与评测的人数：{n:,}。人数太少，无法分组比较。",
    "Metric": "指标",
    "Recall": "召回率",
    "Precision": "准确率",
    "Coverage": "覆盖率",
    "How many of the held-out movies are in the list, weighted towards the top; 1 is perfect.": (
        "留出的电影有多少进入推荐列表，排得越靠前计分越高；1 为满分。"
    ),
    "The share of the held-out movies that are in the list, counting at most as many as the list is long.": (
        "留出的电影进入列表的比例（至多计列表长度那么多部）。"
    ),
    "The share of the list that is among the user's held-out ratings.": "列表中属于该用户留出评分的比例。",
    "The share of all movies that are in at least one list.": "全部电影中，出现在至少一个列表里的比例。",
    "How obscure the recommended movies are: 1 means that half of all users rated them, 2 a quarter.": (
        "推荐的电影有多冷门：1 表示一半的人评过，2 表示四分之一。"
    ),
    "{measure} of each model with its 95% interval": "各模型的{measure}及其 95% 区间",
    "Training time (s)": "训练用时（秒）",
    "a random 20% of each user's ratings were held out": "随机留出每位用户 20% 的评分",
    "each user's latest rating was held out": "留出每位用户最近的一条评分",
    "the latest 20% of all ratings were held out": "留出全部评分中最近的 20%",
    "20% of the users were excluded from training, and half of their ratings were held out": (
        "20% 的用户不参与训练，并留出他们一半的评分"
    ),
    "Another measurement is running. Try again when it has finished.": "另一项评测正在进行，请在其完成后重试。",
    "Method: {hidden} ({n_hidden:,} ratings of {users:,} users); each model was trained on the other "
    "{n_train:,} ratings and recommended {k} movies to every user.": (
        "评测方法：{hidden}（{users:,} 位用户的 {n_hidden:,} 条评分）；各模型用其余 {n_train:,} 条评分训练，再为每位用户推荐 {k} 部电影。"
    ),
    "The other models use default settings.": "其他模型使用默认设置。",
    "Split: {part}, seed {seed}.": "数据划分：{part}，随机种子 {seed}。",
    "test": "测试",
    "validation": "验证",
    "For all models, ratings of {stars:g} or more count as positive.": "对所有模型，{stars:g} 分及以上视为喜欢。",
    "In parentheses: 95% intervals over users. Duration: {seconds:,.0f} s.": (
        "括号内为按用户计算的 95% 区间。用时 {seconds:,.0f} 秒。"
    ),
    "Measure again": "重新评测",
    "Compare with": "与以下模型比较",
    "Models with default settings. ease is available for up to {most:,} movies.": (
        "各类模型，均用默认设置。ease 仅适用于不超过 {most:,} 部电影的数据。"
    ),
    "Trains every model twice on 80% of the data: about 15 s in all for 100,000 ratings, a few minutes per "
    "model for 25 million. Leaving the page stops it.": (
        "用 80% 的数据把每个模型训练两次：10 万条评分共需约 15 秒，2500 万条评分每个模型需几分钟。离开本页会中断评测。"
    ),
    "Trains every model twice on 80% of the data, this one for minutes each time. Leaving the page stops it.": (
        "用 80% 的数据把每个模型训练两次，其中该模型每次需数分钟。离开本页会中断评测。"
    ),
    "Measure now": "立即评测",
    "Or in a terminal:": "或在终端运行：",
    "Loading the data …": "正在加载数据……",
    "Training {model} …": "正在训练 {model}……",
    "Evaluating {model} …": "正在评测 {model}……",
    "Measuring the embedding …": "正在评测向量空间……",
    # --- for whom ---
    "Quality by user activity": "按用户活跃度看质量",
    "All users have equally many ratings, so there are no groups to compare.": (
        "这里每个人的评分数量都相同，没有可比较的分组。"
    ),
    "Lowest quality: the **{users:,} users with {fewest:,} to {most:,} known ratings**, nDCG@{k} {mean:.2f}. "
    "Highest: users with {best_fewest:,} to {best_most:,}, {best:.2f}.": (
        "质量最低的是**已知 {fewest:,} 到 {most:,} 条评分的 {users:,} 位用户**，nDCG@{k} 为 {mean:.2f}；最高的是已知 {best_fewest:,} 到 "
        "{best_most:,} 条评分的用户，为 {best:.2f}。"
    ),
    "No group has clearly lower quality than the others.": "没有哪一组明显比其他组差。",
    "Smallest gain over {other}: {gain:+.2f}, for users with {fewest:,} to {most:,} known ratings.": (
        "与 {other} 相比，在已知 {fewest:,} 到 {most:,} 条评分的人群中提升最小：{gain:+.2f}。"
    ),
    "known ratings per user": "每人的已知评分数",
    "Quality by known ratings per user, one line per model": "推荐质量随已知评分数的变化，每个模型一条线",
    "Users in ten groups by their number of known ratings; users with the same number stay together. More "
    "ratings are held out for users who rated more, which makes hits easier: compare the models within a "
    "group, not only the groups. Bars: 95% intervals.": (
        "按已知评分数把用户分成十组，数量相同的用户在同一组。评分越多的用户被留出的评分也越多，因而更容易命中：除了比较各组，更应在同一组内比较模型。竖线为 95% 区间。"
    ),
    # --- which movies ---
    "Recommendations by popularity": "按热门程度看推荐",
    "The **{n_head:,} most popular movies** have {of_head:.0%} of all ratings and get **{head:.0%}** of this "
    "model's recommendations; the **{n_tail:,} least popular** have {of_tail:.0%} and get **{tail:.0%}**.": (
        "**最热门的 {n_head:,} 部电影**占全部评分的 {of_head:.0%}，占本模型推荐的 **{head:.0%}**；"
        "**最冷门的 {n_tail:,} 部**分别占 {of_tail:.0%} 和 **{tail:.0%}**。"
    ),
    "**{share:.0%}** of its hits are among the {n:,} best-known movies. Without these, nDCG@{k} is **{rest:.2f}** instead "
    "of {ndcg:.2f}.": "命中的电影有 **{share:.0%}** 属于最知名的 {n:,} 部。去掉它们后，nDCG@{k} 为 **{rest:.2f}**，原为 {ndcg:.2f}。",
    "{n:,} most popular": "最热门的 {n:,} 部",
    "{n:,} in the middle": "居中的 {n:,} 部",
    "{n:,} least popular": "最冷门的 {n:,} 部",
    "all ratings": "全部评分",
    "share of ratings or recommendations": "在评分或推荐中的占比",
    "Share of each model's recommendations that go to popular and to obscure movies": (
        "各模型的推荐在热门与冷门电影之间的分布"
    ),
    "Movies are sorted by number of ratings and split into three parts with about a third of all ratings "
    "each. {coverage:.0%} of the movies are in at least one list. Gini coefficient of how often each is "
    "recommended: {gini:.2f} (0: all equally often, 1: always the same movie).": (
        "电影按评分数排序后分成三段，每段约占全部评分的三分之一。{coverage:.0%} 的电影出现在至少一个人的列表里；"
        "出现次数的基尼系数为 {gini:.2f}（0 表示完全平均，1 表示被一部电影独占）。"
    ),
    # --- the space ---
    "Embedding quality": "向量空间的质量",
    "The embedding of this model has not been measured yet.": "该模型的向量空间尚未评测。",
    "Measure the embedding again": "重新评测向量空间",
    "Measure the embedding now": "立即评测向量空间",
    "Download the full report": "下载完整报告",
    "A single HTML page that works offline.": "单个网页，离线可看。",
    "Retrains the model {n} times, which can take minutes each time. Leaving the page stops it.": (
        "把模型重新训练 {n} 次，每次可能需数分钟。离开本页会中断评测。"
    ),
    "Retrains the model {n} times with other seeds and numbers of dimensions: about 15 s for 100,000 ratings, "
    "10 minutes or more for 25 million. Leaving the page stops it.": (
        "用不同的随机种子和维数把模型重新训练 {n} 次：10 万条评分约需 15 秒，2500 万条评分需 10 分钟以上。离开本页会中断评测。"
    ),
    "**Neighbours.** {share:.0%} of a movie's ten nearest neighbours share a genre with it; among random "
    "movies of similar popularity it is {chance:.0%}.": (
        "**近邻**：一部电影最近的十部中，{share:.0%} 与它有共同类型；换成同样热门的随机电影则为 {chance:.0%}。"
    ),
    "**Neighbours.** {share:.0%} of a movie's ten nearest neighbours share a genre with it; among random movies it is "
    "{chance:.0%}.": "**近邻**：一部电影最近的十部中，{share:.0%} 与它有共同类型；换成随机电影则为 {chance:.0%}。",
    "**Analogies.** “Toy Story is to Toy Story 2 as … is to …”: for {hits:.0%} of {n:,} such questions the "
    "answer is in the top ten; with the third movie's neighbours alone, for {alone:.0%}.": (
        "**类比**：“《玩具总动员》之于《玩具总动员 2》，如同……之于……”：{n:,} 道这样的题中，{hits:.0%} 的答案在前十之内；"
        "只看第三部电影的近邻则为 {alone:.0%}。"
    ),
    "**Smoothness.** On the line between two random movies, the nearest movies are like both: {share:.0%} of the points "
    "are nearer in genre to both ends than a point between two other movies; with shuffled vectors, {chance:.0%}.": (
        "**平滑**：在任意两部电影之间的连线上，{share:.0%} 的点附近的电影在类型上比另外两部电影之间的点更接近两端；打乱向量后为 {chance:.0%}。"
    ),
    "**Seeds.** With another seed, {stay:.0%} of a movie's ten nearest neighbours stay the same; between "
    "random vectors, {chance:.0%}.": (
        "**随机种子**：换一个随机种子训练，最近的十部中有 {stay:.0%} 不变；随机向量之间则为 {chance:.0%}。"
    ),
    "**Users and movies.** The Jensen–Shannon divergence between user and movie vectors is {js:.2f} (0: same "
    "distribution, 0.69: disjoint; a random split of all vectors: {control:.2f}). User vectors point towards "
    "many liked movies, so the two need not match.": (
        "**用户与电影**：两者分布的 JS 散度为 {js:.2f}（0 表示完全混合，0.69 表示毫无重叠；把全部向量随机分成两半为 "
        "{control:.2f}）。用户的向量指向受喜爱电影较多的方向，因此两者不必一致。"
    ),
    "Representation": "表示方式",
    "Same genre": "同类型",
    "Same tag": "同标签",
    "Decade": "年代",
    "Clusters": "聚类",
    "Analogies": "类比",
    "The share of a movie's ten nearest neighbours that have a genre in common with it.": "一部电影最近的十部中，与它有共同类型的比例。",
    "The share of a movie's ten nearest neighbours that have a tag in common with it.": "一部电影最近的十部中，与它有共同标签的比例。",
    "How well a linear probe of the vectors predicts a genre (AUC): 0.5 is chance, 1 is perfect.": (
        "用向量线性预测类型的能力（AUC）：0.5 相当于随机，1 为完美。"
    ),
    "How well a linear probe of the vectors predicts a decade (AUC): 0.5 is chance, 1 is perfect.": (
        "用向量线性预测年代的能力（AUC）：0.5 相当于随机，1 为完美。"
    ),
    "How much of the variance of mean ratings a linear probe explains (R²): 0 is none, 1 is all.": "用向量线性预测能解释平均分方差的多少（R²）：0 为完全不能，1 为全部。",
    "Agreement of 18 clusters with the genres (normalized mutual information): 0 is none, 1 is perfect.": "18 个聚类与类型的吻合程度（归一化互信息）：0 为毫无关系，1 为完全一致。",
    "The share of sequels and remakes found in the top ten.": "在前十个答案中找到续集和翻拍片的比例。",
    "Compared with representations that need no training, on the {n:,} movies with at least 20 ratings. ★: "
    "best in the column. †: this information is part of the representation, so the number proves nothing.": (
        "与无需训练的表示方式比较，取评分不少于 20 条的 {n:,} 部电影。★ 为该列最佳；† 表示该信息本就包含在表示中，其数值不说明问题。"
    ),
    "Compared with representations that need no training, on {n:,} movies. ★: best in the column. †: this information "
    "is part of the representation, so the number proves nothing.": (
        "与无需训练的表示方式比较，共 {n:,} 部电影。★ 为该列最佳；† 表示该信息本就包含在表示中，其数值不说明问题。"
    ),
    "Imported vectors cannot be retrained, so they are not evaluated on held-out ratings.": (
        "导入的向量无法重新训练，因此不在留出的评分上评估。"
    ),
    "This model was trained by Spark and cannot be retrained here, so it is not evaluated on held-out ratings. Train it "
    "again with recsys train --engine spark.": (
        "该模型由 Spark 训练，无法在这里重新训练，因此不在留出的评分上评估。请用 recsys train --engine spark 重新训练。"
    ),
    "genres (one-hot)": "类型（独热编码）",
    "titles (bag of words)": "片名（词袋）",
    "titles, genres, tags (TF-IDF)": "片名、类型、标签（TF-IDF）",
    "ratings (raw rows)": "评分（原始数据）",
    "ratings (PCA)": "评分（PCA）",
    "random": "随机",
    "Quality by number of dimensions": "不同维数的质量",
    "The model, retrained with each number of dimensions on 80% of each user's ratings.": (
        "用每位用户 80% 的评分，以不同维数重新训练模型。"
    ),
    "dimensions": "维数",
    "nDCG@10 by number of dimensions, with 95% intervals": "nDCG@10 随维数的变化，附 95% 区间",
}
