(** Weak duality for a dual matrix that is constant on groups of samples.

    If L(Z) >= v + <G, Z> for every Z and ||G||_op^2 <= lw lh, then every point has
    f(W, H, b) >= v - (cost of the bias).  No minimiser enters: a certificate needs
    a matrix, not a proof that it is the best one. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** A symmetric matrix whose rows have absolute sums at most c is at most c I *)
Section RowSums.
Variables (R : rcfType) (n : nat) (S : 'M[R]_n) (c : R).
Hypotheses (St : S^T = S) (rows : forall i, \sum_j `|S i j| <= c).

Lemma young_abs (s x y : R) : 2%:R * (x * s * y) <= `|s| * x ^+ 2 + `|s| * y ^+ 2.
Proof.
have h (t a b : R) : 0 <= t -> 2%:R * (a * t * b) <= t * a ^+ 2 + t * b ^+ 2.
  move=> t0; rewrite -subr_ge0.
  have -> : t * a ^+ 2 + t * b ^+ 2 - 2%:R * (a * t * b) = t * (a - b) ^+ 2 by ring.
  by rewrite mulr_ge0 ?sqr_ge0.
case: (leP 0 s) => [s0|/ltW s0]; first by rewrite ger0_norm // h.
rewrite ler0_norm //; have := h (- s) x (- y); rewrite oppr_ge0 sqrrN => /(_ s0).
by have -> : x * - s * - y = x * s * y by ring.
Qed.

Lemma row_sums_psd : psd (c%:M - S).
Proof.
move=> x; rewrite mulmxBr mul_mx_scalar frobBl frobZl subr_ge0.
pose q : R := \sum_j \sum_i x 0 i * S i j * x 0 j.
have -> : frob (x *m S) x = q.
  rewrite frobE big_ord_recl big_ord0 addr0; apply: eq_bigr => j _.
  by rewrite mxE mulr_suml.
have n2 : 0 < 2%:R :> R by rewrite ltr0n.
rewrite -(ler_pmul2l n2) /q mulr_sumr.
pose a : R := \sum_j \sum_i `|S i j| * x 0 i ^+ 2.
have bound : a <= c * sqF x.
  have -> : sqF x = \sum_i x 0 i ^+ 2.
    rewrite /sqF frobE big_ord_recl big_ord0 addr0; apply: eq_bigr => i _.
    by rewrite expr2.
  rewrite /a exchange_big /= mulr_sumr; apply: ler_sum => i _.
  by rewrite -mulr_suml ler_wpmul2r ?sqr_ge0.
have sym : \sum_j \sum_i `|S i j| * x 0 j ^+ 2 = a.
  rewrite /a exchange_big /=; apply: eq_bigr => i _; apply: eq_bigr => j _.
  by rewrite -{1}St mxE.
apply: le_trans (_ : a + a <= _); last by rewrite mulr_natl mulr2n ler_add.
rewrite -{2}sym /a -big_split /=; apply: ler_sum => j _.
rewrite mulr_sumr -big_split /=; apply: ler_sum => i _.
exact: young_abs.
Qed.
End RowSums.

(** ** Weak duality *)
Section WeakDuality.
Variables (R : rcfType) (K d N : nat) (L : 'M[R]_(K, N) -> R) (lw lh : R).
Variables (m : bias_mode R) (G : 'M[R]_(K, N)) (v : R).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Hypotheses (fenchel : forall Z, v + frob G Z <= L Z) (op : op_sq_le G^T (lw * lh)).

(** What a bias can gain, as a function of g = G 1^T. *)
Definition bias_cost (g : 'cV[R]_K) : R :=
  if m is RegularizedBias lb then sqF g / (2%:R * lb) else 0.
Definition bias_ok (g : 'cV[R]_K) : Prop :=
  match m with
  | NoBias => True
  | FreeBias => g = 0
  | RegularizedBias lb => 0 < lb
  end.

Theorem weak_duality (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K) :
  bias_ok (G *m (ones N)^T) -> bias_allowed m b ->
  v - bias_cost (G *m (ones N)^T) <= ufm L lw lh m W H b.
Proof.
set g := G *m _ => gok bok.
have op' : op_sq_le G (lw * lh).
  by have := op_sq_le_tr (ltW (mulr_gt0 lw0 lh0)) op; rewrite trmxK.
have r0 := regulariser_bound lw0 lh0 W H op'.
have l0 := fenchel (W *m H + b *m ones N).
have e : frob G (W *m H + b *m ones N) = frob G (W *m H) + frob g b.
  by rewrite frobDr; congr (_ + _); rewrite frobC frob_mull frobC.
have b0 : - bias_cost g <= bias_weight m / 2%:R * sqF b + frob g b.
  move: gok bok; rewrite /bias_cost /bias_ok; case: (m) => [||lb] /=.
  - by move=> _ ->; rewrite frob0r !mul0r oppr0 addr0.
  - by move=> -> _; rewrite frob0l !mul0r oppr0 addr0.
  move=> lb0 _; have lbN : lb != 0 by rewrite gt_eqF.
  rewrite -subr_ge0.
  have -> : lb / 2%:R * sqF b + frob g b - - (sqF g / (2%:R * lb))
          = lb / 2%:R * sqF (b + lb^-1 *: g).
    rewrite sqFD sqFZ frobZr (frobC b); field.
    by [].
  by rewrite scale_sqF_ge0 // divr_ge0 ?ler0n // ltW.
rewrite /ufm; rewrite e in l0.
rewrite -subr_ge0; move: l0 r0 b0; rewrite -subr_ge0.
set l := L _; set p := frob G _; set u := frob g b; set c := bias_cost g.
set w := bias_weight m / _ * _; set w1 := lw / _ * _; set w2 := lh / _ * _.
move=> l0 r0; rewrite -subr_ge0 => b0.
have -> : l + w1 + w2 + w - (v - c)
  = (l - (v + (p + u))) + (w1 + w2 + p) + (w + u - - c) by ring.
exact: addr_ge0 (addr_ge0 l0 r0) b0.
Qed.
End WeakDuality.

(** ** Matrices that are constant on groups: A Y with A of one column per group *)
Section Groups.
Variables (R : rcfType) (K N C : nat) (lab : 'I_N -> 'I_C).
Local Notation Y := (onehot R lab).
Local Notation size g := ((class_size lab g)%:R : R).

Lemma sum_groups (F : 'I_C -> R) : \sum_i F (lab i) = \sum_g size g * F g.
Proof.
rewrite (partition_big lab predT) //=; apply: eq_bigr => g _.
rewrite (eq_bigr (fun=> F g)) => [|i /eqP->] //.
by rewrite sumr_const /class_size mulr_natl.
Qed.
Lemma groups_size : N%:R = \sum_g size g.
Proof.
have := sum_groups (fun=> 1); rewrite sumr_const card_ord => ->.
by apply: eq_bigr => g _; rewrite mulr1.
Qed.
Lemma frob_groups (A B : 'M[R]_(K, C)) :
  frob (A *m Y) (B *m Y) = \sum_k \sum_g size g * A k g * B k g.
Proof.
rewrite frobE; apply: eq_bigr => k _.
under eq_bigr => i _ do rewrite !mulmx_onehot.
by rewrite (sum_groups (fun g => A k g * B k g)); apply: eq_bigr => g _; rewrite mulrA.
Qed.
Lemma groups_ones (A : 'M[R]_(K, C)) k :
  (A *m Y *m (ones N)^T) k 0 = \sum_g size g * A k g.
Proof.
rewrite mxE -(sum_groups (fun g => A k g)); apply: eq_bigr => i _.
by rewrite mulmx_onehot !mxE mulr1.
Qed.
Lemma groups_gram (A : 'M[R]_(K, C)) :
  A *m Y *m (A *m Y)^T = \matrix_(k, l) \sum_g size g * A k g * A l g.
Proof.
apply/matrixP => k l; rewrite !mxE.
under eq_bigr => i _ do rewrite [X in _ * X]mxE !mulmx_onehot.
by rewrite (sum_groups (fun g => A k g * A l g)); apply: eq_bigr => g _; rewrite mulrA.
Qed.

(** Points with one feature per group: the logits are one column per group. *)
Lemma groups_logits d (W : 'M[R]_(K, d)) (M : 'M[R]_(d, C)) (b : 'cV[R]_K) :
  W *m (M *m Y) + b *m ones N = (W *m M + b *m ones C) *m Y.
Proof. by rewrite mulmxDl !mulmxA -(mulmxA b) onehot_colsum. Qed.
End Groups.

(** ** There is a labelling for every list of group sizes *)
Section Labelling.
Lemma labelling_exists C (n : 'I_C -> nat) :
  exists lab : 'I_((\sum_g n g)%N) -> 'I_C, forall g, class_size lab g = n g.
Proof.
pose T := {g : 'I_C & 'I_(n g)}.
have e : #|{: T}| = (\sum_g n g)%N.
  by rewrite card_tagged sumnE big_map big_enum /=; apply: eq_bigr => g _; rewrite card_ord.
pose h (i : 'I_((\sum_g n g)%N)) : T := enum_val (cast_ord (esym e) i).
exists (fun i => tag (h i)) => g.
rewrite /class_size -[RHS]card_ord.
have hb : bijective h.
  exists (fun t => cast_ord e (enum_rank t)) => [i|t]; rewrite /h.
    by rewrite enum_valK cast_ordKV.
  by rewrite cast_ordK enum_rankK.
rewrite -(card_image (f := h)) ?(bij_inj hb) //; last exact: bij_inj.
rewrite -(card_image (f := fun x : 'I_(n g) => (Tagged (fun g => 'I_(n g)) x : T))); last first.
  by move=> x y /eqP; rewrite -tag_eqE /tag_eq eqxx /= tagged_asE => /eqP.
apply: eq_card => t; apply/imageP/imageP => [[i]|[x _ ->]].
  rewrite inE => /eqP ti ->; move: ti; case: (h i) => g' x /= gg.
  by move: x; rewrite gg => x; exists x.
case: hb => k hk kh; exists (k (Tagged (fun g => 'I_(n g)) x)); last by rewrite kh.
by rewrite inE kh /=.
Qed.
End Labelling.
