"""Simplified Chinese of the page `quality`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "How well {model} finds the movies that people rated, measured on ratings that were hidden from it.": (
        "{model} 能多准确地找到人们评过分的电影；用训练时未见过的评分来检验。"
    ),
    "Measured and stored, in {seconds:,.0f} seconds.": "评测完成并已保存，用时 {seconds:,.0f} 秒。",
    "{model} (this model)": "{model}（本模型）",
    # --- ranking ---
    "Beside simpler models": "与简单模型比较",
    "This model has not been measured yet: nobody knows how good its recommendations are.": (
        "该模型尚未评测，还不知道它的推荐有多好。"
    ),
    "It was measured alone, so there is nothing to compare it with.": "本次只评测了该模型，没有可比较的对象。",
    "By nDCG@{k} this model is {standing}.": "按 nDCG@{k}，本模型{standing}。",
    "ahead of {models}": "优于 {models}",
    "behind {models}": "不及 {models}",
    "; ": "；",
    "Its 95% interval of nDCG@{k} overlaps with that of {models}.": "其 nDCG@{k} 的 95% 区间与 {models} 有重叠。",
    "People judged: {n:,}. So few tell nothing of which model is better.": (
        "参与评测的人数：{n:,}。人数太少，无法说明哪个模型更好。"
    ),
    "People judged: {n:,}. So few cannot be compared in groups.": "参与评测的人数：{n:,}。人数太少，无法分组比较。",
    "Measure": "指标",
    "Recall": "召回率",
    "Precision": "准确率",
    "Coverage": "覆盖率",
    "How many of the hidden movies stand in the list, those near its top counting more; 1 is perfect.": (
        "被隐藏的电影有多少进入推荐列表，排得越靠前计分越高；1 为满分。"
    ),
    "Of the hidden ratings that fit into the list, the share that stands in it.": (
        "在列表容得下的被隐藏评分中，确实进入列表的比例。"
    ),
    "The share of the list that the person did rate.": "列表中该用户确实评过分的比例。",
    "The share of all movies that stands in anybody's list.": "全部电影中，出现在任何人列表里的比例。",
    "How little known the recommended movies are: 1 is a movie that half of all people rated, 2 a quarter.": (
        "推荐的电影有多冷门：1 表示一半的人评过，2 表示四分之一。"
    ),
    "{measure} of each model with its 95% interval": "各模型的{measure}及其 95% 区间",
    "Training, seconds": "训练用时（秒）",
    "a fifth of each person's ratings, drawn at random, was hidden": "随机隐藏每人五分之一的评分",
    "each person's latest rating was hidden": "隐藏每人最近的一条评分",
    "the latest fifth of all ratings was hidden": "隐藏全部评分中最近的五分之一",
    "a fifth of the people was kept from training, and half of their ratings hidden": (
        "五分之一的人不参与训练，并隐藏他们一半的评分"
    ),
    "Somebody else is measuring now. Try again when that is done.": "其他人正在评测，请在其完成后重试。",
    "What was done: {hidden} (ratings: {n_hidden:,}, people: {users:,}); each model learned from the other "
    "{n_train:,} and named its top {k} for everybody.": (
        "评测方法：{hidden}（{users:,} 人的 {n_hidden:,} 条评分）；各模型用其余 {n_train:,} 条评分学习，"
        "再为每个人推荐 {k} 部电影。"
    ),
    "The other models have their default settings.": "其他模型使用默认设置。",
    "Part: {part}, seed of the draw: {seed}.": "数据部分：{part}，随机种子：{seed}。",
    "test": "测试",
    "validation": "验证",
    "Ratings of {stars:g} or more counted as liking, for all models.": "对所有模型，{stars:g} 分及以上视为喜欢。",
    "Brackets: 95% intervals over people. It took {seconds:,.0f} seconds.": (
        "括号内为按用户计算的 95% 区间。用时 {seconds:,.0f} 秒。"
    ),
    "Measure again": "重新评测",
    "Hold it against": "与以下模型比较",
    "Kinds of models with their default settings. Ease is offered for up to {most:,} movies.": (
        "各类模型，均用默认设置。ease 仅适用于不超过 {most:,} 部电影的数据。"
    ),
    "Every model is trained anew on four fifths of the ratings. On 100,000 ratings all of it takes about ten "
    "seconds, on 25 million some minutes a model. Leaving the page stops it.": (
        "每个模型都用五分之四的评分重新训练。10 万条评分共需约十秒，2500 万条评分每个模型需几分钟。离开本页会中断评测。"
    ),
    "Measure it now": "立即评测",
    "Or in a terminal:": "或在终端运行：",
    "Reading the data …": "正在读取数据……",
    "Training {model} …": "正在训练 {model}……",
    "Judging {model} …": "正在评测 {model}……",
    "Measuring the space …": "正在评测向量空间……",
    # --- for whom ---
    "Who is served badly": "谁得到的推荐较差",
    "Everybody here has rated equally much, so there are no groups to compare.": (
        "这里每个人的评分数量都相同，没有可比较的分组。"
    ),
    "Served worst: the **{users:,} people of whom {fewest:,} to {most:,} ratings are known**, with nDCG@{k} "
    "{mean:.2f}; those with {best_fewest:,} to {best_most:,} get {best:.2f}.": (
        "效果最差的是**已知 {fewest:,} 到 {most:,} 条评分的 {users:,} 人**，nDCG@{k} 为 {mean:.2f}；"
        "而已知 {best_fewest:,} 到 {best_most:,} 条评分的人为 {best:.2f}。"
    ),
    "No group is clearly served worse than the others.": "没有哪一组明显比其他组差。",
    "Compare with": "对比",
    "Over {other} it gains least among people with {fewest:,} to {most:,} known ratings: {gain:+.2f}.": (
        "与 {other} 相比，在已知 {fewest:,} 到 {most:,} 条评分的人群中提升最小：{gain:+.2f}。"
    ),
    "known ratings of a person": "每人的已知评分数",
    "Quality by how many ratings are known of a person, a line a model": "推荐质量随已知评分数的变化，每个模型一条线",
    "People in tenths by how many ratings are known of them; those with equally many stay together. Of people "
    "who rated more, more is hidden, and so more can be found: compare the models within a tenth, not only the "
    "tenths. Bars: 95% intervals.": (
        "按已知评分数把人分成十组，数量相同的人在同一组。评分越多的人被隐藏的评分也越多，因而更容易命中："
        "除了比较各组，更应在同一组内比较模型。竖线为 95% 区间。"
    ),
    # --- which movies ---
    "Which movies get recommended": "哪些电影被推荐",
    "The best-known movies (**{n_head:,}**) get {of_head:.0%} of all ratings and **{head:.0%}** of this "
    "model's recommendations; the least known (**{n_tail:,}**) get {of_tail:.0%} and **{tail:.0%}**.": (
        "**最热门的 {n_head:,} 部电影**占全部评分的 {of_head:.0%}，占本模型推荐的 **{head:.0%}**；"
        "**最冷门的 {n_tail:,} 部**分别占 {of_tail:.0%} 和 **{tail:.0%}**。"
    ),
    "{n:,} best known": "最热门的 {n:,} 部",
    "{n:,} in between": "居中的 {n:,} 部",
    "{n:,} least known": "最冷门的 {n:,} 部",
    "what people rated": "人们的评分",
    "share of all places in the lists": "在全部推荐位置中的占比",
    "How the recommendations of each model spread over well-known and little-known movies": (
        "各模型的推荐在热门与冷门电影之间的分布"
    ),
    "The movies are ordered by ratings and cut in three, each with about a third of all ratings. "
    "{coverage:.0%} of the movies stand in anybody's list; Gini coefficient of how often each does: {gini:.2f} "
    "(0: all equally often, 1: one movie takes all).": (
        "电影按评分数排序后分成三段，每段约占全部评分的三分之一。{coverage:.0%} 的电影出现在至少一个人的列表里；"
        "出现次数的基尼系数为 {gini:.2f}（0 表示完全平均，1 表示被一部电影独占）。"
    ),
    # --- the space ---
    "What the space knows": "向量空间学到了什么",
    "The space of this model has not been measured yet.": "该模型的向量空间尚未评测。",
    "Measure the space again": "重新评测向量空间",
    "Measure the space now": "立即评测向量空间",
    "Download the whole report": "下载完整报告",
    "One page that opens without a network.": "单个网页，离线可看。",
    "It trains the model {n} times anew, with other numbers of dimensions and other seeds: expect so many "
    "times its training, and more. On 100,000 ratings that is about fifteen seconds, on 25 million ten minutes "
    "or more. Leaving the page stops it.": (
        "评测会用不同的维数和随机种子把模型重新训练 {n} 次，用时至少为训练时间的这么多倍。"
        "10 万条评分约需十五秒，2500 万条评分需十分钟以上。离开本页会中断评测。"
    ),
    "**Neighbours.** {share:.0%} of a movie's ten nearest share a genre with it; of random movies that are as "
    "popular, {chance:.0%} do.": (
        "**近邻**：一部电影最近的十部中，{share:.0%} 与它有共同类型；换成同样热门的随机电影则为 {chance:.0%}。"
    ),
    "**Analogies.** “Toy Story is to Toy Story 2 as … is to …”: {hits:.0%} of {n:,} such questions have "
    "their answer among ten; the third movie's neighbours alone have {alone:.0%}.": (
        "**类比**：“《玩具总动员》之于《玩具总动员 2》，如同……之于……”：{n:,} 道这样的题中，{hits:.0%} 的答案在前十之内；"
        "只看第三部电影的近邻则为 {alone:.0%}。"
    ),
    "**Luck.** Trained with another seed, {stay:.0%} of the ten nearest stay; between random vectors "
    "{chance:.0%} do.": (
        "**偶然性**：换一个随机种子训练，最近的十部中有 {stay:.0%} 不变；随机向量之间则为 {chance:.0%}。"
    ),
    "**People and movies.** They lie apart by a Jensen–Shannon divergence of {js:.2f} (0: mixed, 0.69: "
    "nothing in common; all of them parted at random: {control:.2f}). People point where many movies "
    "are liked, so the two need not agree.": (
        "**用户与电影**：两者分布的 JS 散度为 {js:.2f}（0 表示完全混合，0.69 表示毫无重叠；把全部向量随机分成两半为 "
        "{control:.2f}）。用户的向量指向受喜爱电影较多的方向，因此两者不必一致。"
    ),
    "Representation": "表示方式",
    "Same genre": "同类型",
    "Same tag": "同标签",
    "Decade": "年代",
    "Clusters": "聚类",
    "Analogies": "类比",
    "Share of a movie's ten nearest that share a genre with it.": "一部电影最近的十部中，与它有共同类型的比例。",
    "Share of a movie's ten nearest that share a tag with it.": "一部电影最近的十部中，与它有共同标签的比例。",
    "How well a line through the space tells a genre: ½ is a coin, 1 perfect.": (
        "空间中一条直线区分类型的能力：½ 相当于抛硬币，1 为完美。"
    ),
    "How well a line through the space tells a decade: ½ is a coin, 1 perfect.": (
        "空间中一条直线区分年代的能力：½ 相当于抛硬币，1 为完美。"
    ),
    "How much of a movie's mean rating it explains: 0 nothing, 1 all.": "能解释电影平均评分的多少：0 为完全不能，1 为全部。",
    "What 18 clusters share with the genres: 0 nothing, 1 all.": "18 个聚类与类型的吻合程度：0 为毫无关系，1 为完全一致。",
    "Sequels and remakes found among ten answers.": "在前十个答案中找到续集和翻拍片的比例。",
    "Beside representations that need no learning, on the {n:,} movies with twenty ratings or more. ★ best of "
    "the column. † was told this beforehand, so its number proves nothing.": (
        "与无需学习的表示方式比较，取评分不少于 20 条的 {n:,} 部电影。★ 为该列最佳；† 表示事先已知答案，其数值不说明问题。"
    ),
    "genres (one-hot)": "类型（独热编码）",
    "titles (bag of words)": "片名（词袋）",
    "titles, genres, tags (TF-IDF)": "片名、类型、标签（TF-IDF）",
    "ratings (raw rows)": "评分（原始数据）",
    "ratings (PCA)": "评分（PCA）",
    "random": "随机",
    "What each dimension adds": "每个维度的贡献",
    "The model trained anew with so many dimensions on four fifths of each person's ratings.": (
        "用每人五分之四的评分，以不同维数重新训练模型。"
    ),
    "dimensions": "维数",
    "nDCG@10 by the number of dimensions, with 95% intervals": "nDCG@10 随维数的变化及 95% 区间",
}
